// A control plane on go-control-plane: `plane ADDRESS`. Each line of its input is a snapshot as JSON; it prints "ready" when
// it listens, and "streams N" when a client of ADS comes or goes. It ends with its input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"sync/atomic"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type node struct {
	Host     string
	Port     uint32
	Weight   uint32
	Priority uint32
}

type snapshot struct {
	Version string
	// Names of listeners that lead to the cluster.
	Listeners []string
	Endpoints []node
	// The name that the certificate of an endpoint must have; empty: cleartext.
	ServerName string
	// Milliseconds; 0: none.
	MaxDuration int64
}

func packed(message proto.Message) *anypb.Any {
	any, err := anypb.New(message)
	if err != nil {
		log.Fatal(err)
	}
	return any
}

func listenerOf(name string, wanted snapshot) *listener.Listener {
	action := &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: "backends"}}
	if wanted.MaxDuration > 0 {
		limit := durationpb.New(time.Duration(wanted.MaxDuration) * time.Millisecond)
		action.MaxStreamDuration = &route.RouteAction_MaxStreamDuration{MaxStreamDuration: limit}
	}
	manager := &hcm.HttpConnectionManager{
		RouteSpecifier: &hcm.HttpConnectionManager_RouteConfig{RouteConfig: &route.RouteConfiguration{
			Name: name,
			VirtualHosts: []*route.VirtualHost{{
				Name:    name,
				Domains: []string{"*"},
				Routes: []*route.Route{{
					Match:  &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: ""}},
					Action: &route.Route_Route{Route: action},
				}},
			}},
		}},
		HttpFilters: []*hcm.HttpFilter{{
			Name:       "router",
			ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: packed(&router.Router{})},
		}},
	}
	return &listener.Listener{Name: name, ApiListener: &listener.ApiListener{ApiListener: packed(manager)}}
}

func clusterOf(wanted snapshot) *cluster.Cluster {
	made := &cluster.Cluster{
		Name:                 "backends",
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig: &cluster.Cluster_EdsClusterConfig{
			EdsConfig: &core.ConfigSource{
				ResourceApiVersion:    core.ApiVersion_V3,
				ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
			},
		},
		LbPolicy: cluster.Cluster_ROUND_ROBIN,
	}
	if wanted.ServerName == "" {
		return made
	}
	instance := &tls.CertificateProviderPluginInstance{InstanceName: "files"}
	made.TransportSocket = &core.TransportSocket{
		Name: "envoy.transport_sockets.tls",
		ConfigType: &core.TransportSocket_TypedConfig{TypedConfig: packed(&tls.UpstreamTlsContext{
			CommonTlsContext: &tls.CommonTlsContext{
				TlsCertificateProviderInstance: instance,
				ValidationContextType: &tls.CommonTlsContext_ValidationContext{ValidationContext: &tls.CertificateValidationContext{
					CaCertificateProviderInstance: instance,
					MatchSubjectAltNames: []*matcher.StringMatcher{{
						MatchPattern: &matcher.StringMatcher_Exact{Exact: wanted.ServerName},
					}},
				}},
			},
		})},
	}
	return made
}

func endpointsOf(wanted snapshot) *endpoint.ClusterLoadAssignment {
	made := &endpoint.ClusterLoadAssignment{ClusterName: "backends"}
	for _, one := range wanted.Endpoints {
		made.Endpoints = append(made.Endpoints, &endpoint.LocalityLbEndpoints{
			Locality:            &core.Locality{Region: "test", Zone: fmt.Sprint(one.Port)},
			Priority:            one.Priority,
			LoadBalancingWeight: wrapperspb.UInt32(max(one.Weight, 1)),
			LbEndpoints: []*endpoint.LbEndpoint{{
				HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{
					Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
						Address:       one.Host,
						PortSpecifier: &core.SocketAddress_PortValue{PortValue: one.Port},
					}}},
				}},
			}},
		})
	}
	return made
}

func publish(snapshots cache.SnapshotCache, wanted snapshot) error {
	listeners := []types.Resource{}
	for _, name := range wanted.Listeners {
		listeners = append(listeners, listenerOf(name, wanted))
	}
	made, err := cache.NewSnapshot(wanted.Version, map[resource.Type][]types.Resource{
		resource.ListenerType: listeners,
		resource.ClusterType:  {clusterOf(wanted)},
		resource.EndpointType: {endpointsOf(wanted)},
	})
	if err != nil {
		return err
	}
	return snapshots.SetSnapshot(context.Background(), "photongate", made)
}

func main() {
	snapshots := cache.NewSnapshotCache(false, cache.IDHash{}, nil)
	var streams atomic.Int64
	report := func(change int64) { fmt.Println("streams", streams.Add(change)) }
	callbacks := server.CallbackFuncs{
		StreamOpenFunc: func(context.Context, int64, string) error {
			report(1)
			return nil
		},
		StreamClosedFunc: func(int64, *core.Node) { report(-1) },
	}
	socket, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	serving := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(serving, server.NewServer(context.Background(), snapshots, callbacks))
	go func() { log.Fatal(serving.Serve(socket)) }()
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var wanted snapshot
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			log.Fatal(err)
		}
		if err := publish(snapshots, wanted); err != nil {
			log.Fatal(err)
		}
	}
}
