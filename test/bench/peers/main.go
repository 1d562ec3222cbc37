// The service of shop.proto, and grpc-gateway before it: `peers service ADDRESS`, `peers gateway ADDRESS UPSTREAM`.
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"

	shopv1 "peers/shop/v1"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"
)

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

func service(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	shopv1.RegisterShopServer(server, shop{})
	return server.Serve(listener)
}

func gateway(address, upstream string) error {
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := shopv1.RegisterShopHandlerFromEndpoint(context.Background(), mux, upstream, options); err != nil {
		return err
	}
	return http.ListenAndServe(address, mux)
}

func main() {
	if os.Args[1] == "service" {
		log.Fatal(service(os.Args[2]))
	}
	log.Fatal(gateway(os.Args[2], os.Args[3]))
}
