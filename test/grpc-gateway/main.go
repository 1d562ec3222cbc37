// The service of echo.proto, and grpc-gateway before it: `peer SERVICE_ADDRESS GATEWAY_ADDRESS`.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	echov1 "peer/echo/v1"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

type echo struct{ echov1.UnimplementedEchoServer }

func (echo) Get(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error)     { return thing, nil }
func (echo) List(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error)    { return thing, nil }
func (echo) Create(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error)  { return thing, nil }
func (echo) Replace(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error) { return thing, nil }
func (echo) Touch(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error)   { return thing, nil }
func (echo) Path(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error)    { return thing, nil }
func (echo) Inner(_ context.Context, thing *echov1.Thing) (*echov1.Thing, error)   { return thing, nil }

func (echo) Update(_ context.Context, request *echov1.UpdateRequest) (*echov1.UpdateRequest, error) {
	return request, nil
}

func (echo) Delete(context.Context, *echov1.Thing) (*emptypb.Empty, error) { return &emptypb.Empty{}, nil }

// failure is what the request asks for; nil for code 0.
func failure(request *echov1.Failure) error {
	failed := status.New(codes.Code(request.Code), request.Message)
	for i := range request.Details {
		detail := &errdetails.ErrorInfo{Reason: fmt.Sprint("REASON_", i), Domain: "echo"}
		if failed.Code() == codes.OK {
			break
		}
		with, err := failed.WithDetails(detail)
		if err != nil {
			return err
		}
		failed = with
	}
	return failed.Err()
}

func (echo) Fail(_ context.Context, request *echov1.Failure) (*echov1.Thing, error) {
	if err := failure(request); err != nil {
		return nil, err
	}
	return &echov1.Thing{}, nil
}

func pairs(list []string) metadata.MD {
	md := metadata.MD{}
	for _, pair := range list {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasSuffix(name, "-bin") {
			if raw, err := base64.StdEncoding.DecodeString(value); err == nil {
				value = string(raw)
			}
		}
		md.Append(name, value)
	}
	return md
}

func (echo) Metadata(ctx context.Context, request *echov1.MetadataRequest) (*echov1.MetadataResponse, error) {
	_ = grpc.SetHeader(ctx, pairs(request.Headers))
	_ = grpc.SetTrailer(ctx, pairs(request.Trailers))
	if request.Code != 0 {
		return nil, status.Error(codes.Code(request.Code), "as asked")
	}
	response := &echov1.MetadataResponse{Metadata: map[string]*echov1.Values{}}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for name, values := range incoming {
		if strings.HasSuffix(name, "-bin") {
			for i, value := range values {
				values[i] = base64.StdEncoding.EncodeToString([]byte(value))
			}
		}
		response.Metadata[name] = &echov1.Values{Values: values}
	}
	if deadline, ok := ctx.Deadline(); ok {
		response.Timeout = int32(math.Ceil(time.Until(deadline).Seconds()))
	}
	return response, nil
}

func (echo) Watch(request *echov1.Failure, stream grpc.ServerStreamingServer[echov1.Thing]) error {
	for i := range request.Messages {
		if err := stream.Send(&echov1.Thing{Int32: i}); err != nil {
			return err
		}
	}
	return failure(request)
}

func (echo) Collect(stream grpc.ClientStreamingServer[echov1.Thing, echov1.Things]) error {
	things := &echov1.Things{}
	for {
		thing, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(things)
		}
		if err != nil {
			return err
		}
		things.Things = append(things.Things, thing)
	}
}

func (echo) Chat(stream grpc.BidiStreamingServer[echov1.Thing, echov1.Thing]) error {
	for {
		thing, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(thing); err != nil {
			return err
		}
	}
}

func (echo) Download(_ context.Context, request *echov1.Failure) (*httpbody.HttpBody, error) {
	return &httpbody.HttpBody{ContentType: request.ContentType, Data: []byte(request.Message)}, failure(&echov1.Failure{Code: request.Code})
}

func (echo) DownloadPieces(request *echov1.Failure, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	for range request.Messages {
		if err := stream.Send(&httpbody.HttpBody{ContentType: request.ContentType, Data: []byte(request.Message)}); err != nil {
			return err
		}
	}
	return failure(request)
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	echov1.RegisterEchoServer(server, echo{})
	return server.Serve(listener)
}

func gateway(address, upstream string) error {
	mux := runtime.NewServeMux(runtime.WithLegacyHeaderMatching())
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := echov1.RegisterEchoHandlerFromEndpoint(context.Background(), mux, upstream, options); err != nil {
		return err
	}
	return http.ListenAndServe(address, mux)
}

func main() {
	go func() { log.Fatal(serve(os.Args[1])) }()
	log.Fatal(gateway(os.Args[2], os.Args[1]))
}
