// Peers of photongate, the service of shop.proto that all stand before, and what sends them requests:
// `peers service ADDRESS`, `peers grpc-gateway ADDRESS UPSTREAM`, `peers vanguard ADDRESS UPSTREAM`, and `peers load`.
package main

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"

	shopv1 "peers/shop/v1"

	"connectrpc.com/vanguard"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// No message of the comparison is larger.
const maxMessageBytes = 256 << 20

// What HttpBody is cut into.
const pieceBytes = 64 << 10

type shop struct{ shopv1.UnimplementedShopServer }

func item(id string) *shopv1.Item {
	return &shopv1.Item{
		Id:        id,
		Name:      "an item with a name of some length",
		Size:      1234567890123,
		Price:     12.5,
		InStock:   true,
		Tags:      []string{"red", "green", "blue"},
		Labels:    map[string]string{"shelf": "7", "row": "b"},
		CreatedAt: &timestamppb.Timestamp{Seconds: 1700000000},
		Maker:     &shopv1.Maker{Name: "maker", Rank: 3},
	}
}

func (shop) GetItem(_ context.Context, request *shopv1.Item) (*shopv1.Item, error) {
	return item(request.Id), nil
}

func (shop) CreateItem(_ context.Context, request *shopv1.Item) (*shopv1.Item, error) {
	return request, nil
}

func (shop) ListItems(_ context.Context, request *shopv1.ListItemsRequest) (*shopv1.ListItemsResponse, error) {
	response := &shopv1.ListItemsResponse{}
	for range request.Count {
		response.Items = append(response.Items, item("1"))
	}
	return response, nil
}

func (shop) WatchItems(request *shopv1.ListItemsRequest, stream shopv1.Shop_WatchItemsServer) error {
	for range request.Count {
		if err := stream.Send(item("1")); err != nil {
			return err
		}
	}
	return nil
}

func (shop) ImportItems(_ context.Context, request *shopv1.ListItemsResponse) (*shopv1.ImportItemsResponse, error) {
	return &shopv1.ImportItemsResponse{Count: int32(len(request.Items))}, nil
}

func (shop) EchoText(_ context.Context, request *shopv1.Text) (*shopv1.Text, error) {
	return request, nil
}

func (shop) Download(request *shopv1.DownloadRequest, stream shopv1.Shop_DownloadServer) error {
	piece := &httpbody.HttpBody{ContentType: "application/octet-stream", Data: make([]byte, pieceBytes)}
	for range int(request.Megabytes) << 20 / pieceBytes {
		if err := stream.Send(piece); err != nil {
			return err
		}
	}
	return nil
}

func (shop) Upload(stream shopv1.Shop_UploadServer) error {
	response := &shopv1.UploadResponse{}
	for {
		piece, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(response)
		}
		if err != nil {
			return err
		}
		response.Bytes += int64(len(piece.Data))
	}
}

func service(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes))
	shopv1.RegisterShopServer(server, shop{})
	return server.Serve(listener)
}

func grpcGateway(address, upstream string) error {
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes)),
	}
	if err := shopv1.RegisterShopHandlerFromEndpoint(context.Background(), mux, upstream, options); err != nil {
		return err
	}
	return http.ListenAndServe(address, mux)
}

// vanguard has no client of its own: what it makes of a request goes through Go's reverse proxy.
func vanguardProxy(address, upstream string) error {
	var cleartext http.Protocols
	cleartext.SetUnencryptedHTTP2(true)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	proxy.Transport = &http.Transport{Protocols: &cleartext, TLSClientConfig: &tls.Config{}}
	proxy.FlushInterval = -1
	name := string(shopv1.File_shop_proto.Services().Get(0).FullName())
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{vanguard.NewService(
		name, proxy,
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
		vanguard.WithTargetCodecs(vanguard.CodecProto),
		vanguard.WithMaxMessageBufferBytes(maxMessageBytes),
	)})
	if err != nil {
		return err
	}
	var both http.Protocols
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: address, Handler: transcoder, Protocols: &both}
	return server.ListenAndServe()
}

func main() {
	log.SetFlags(0)
	switch args := os.Args; {
	case strings.Join(args[1:2], "") == "load":
		log.Fatal(load(args[2:]))
	case len(args) == 3 && args[1] == "service":
		log.Fatal(service(args[2]))
	case len(args) == 4 && args[1] == "grpc-gateway":
		log.Fatal(grpcGateway(args[2], args[3]))
	case len(args) == 4 && args[1] == "vanguard":
		log.Fatal(vanguardProxy(args[2], args[3]))
	}
	log.Fatal("peers service ADDRESS | grpc-gateway ADDRESS UPSTREAM | vanguard ADDRESS UPSTREAM | load FLAGS")
}
