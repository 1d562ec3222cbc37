// Sends requests and measures how long their answers take. With -rate the load is open: each connection has its timetable, and
// a request that starts late because the one before was slow counts from when it should have started.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	shopv1 "peers/shop/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// One client, which has a connection of its own, or a share of one.
type client interface {
	// Sends a request, and returns after the last byte of its answer.
	send() error
	close()
}

// What a run found.
type report struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"`
	// Milliseconds.
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

func load(args []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	address := flags.String("address", "", "of the proxy")
	method := flags.String("method", "GET", "of the requests")
	path := flags.String("path", "/", "of the requests")
	bodyFile := flags.String("body", "", "file with the body, JSON")
	contentType := flags.String("type", "application/json", "of the body")
	repeat := flags.Int("repeat", 1, "the body is so many of the file")
	isGrpc := flags.Bool("grpc", false, "call GetItem by gRPC")
	connections := flags.Int("connections", 32, "at once")
	count := flags.Int("count", 0, "requests in all, as fast as answers come")
	rate := flags.Float64("rate", 0, "requests a second; then -seconds")
	seconds := flags.Float64("seconds", 0, "with -rate: how long requests start")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var body []byte
	if *bodyFile != "" {
		var err error
		if body, err = os.ReadFile(*bodyFile); err != nil {
			return err
		}
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nhost: %s\r\naccept: */*\r\n", *method, *path, *address)
	if body != nil {
		head += fmt.Sprintf("content-type: %s\r\ncontent-length: %d\r\n", *contentType, len(body)**repeat)
	}
	head += "\r\n"
	open := func() (client, error) { return dialHTTP(*address, []byte(head), body, *repeat) }
	if *isGrpc {
		open = sharedGRPC(*address)
	}
	clients := make([]client, *connections)
	for index := range clients {
		var err error
		if clients[index], err = open(); err != nil {
			return err
		}
		defer clients[index].close()
	}
	var found *report
	var err error
	if *rate > 0 {
		found, err = openLoad(clients, *rate, time.Duration(*seconds*float64(time.Second)))
	} else {
		found, err = closedLoad(clients, *count)
	}
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

// Each client sends its next request when the answer to the last has come.
func closedLoad(clients []client, count int) (*report, error) {
	var taken atomic.Int64
	return run(clients, func(c client, _ int, done func(time.Duration)) error {
		for taken.Add(1) <= int64(count) {
			from := time.Now()
			if err := c.send(); err != nil {
				return err
			}
			done(time.Since(from))
		}
		return nil
	})
}

// Each client starts a request at fixed times, or as soon after as it is free.
func openLoad(clients []client, rate float64, length time.Duration) (*report, error) {
	interval := time.Duration(float64(len(clients)) / rate * float64(time.Second))
	begin := time.Now().Add(10 * time.Millisecond)
	// Far beyond its capacity a proxy would never get to the end of the timetable.
	giveUp := begin.Add(3 * length)
	return run(clients, func(c client, index int, done func(time.Duration)) error {
		due := begin.Add(interval * time.Duration(index) / time.Duration(len(clients)))
		for end := begin.Add(length); due.Before(end); due = due.Add(interval) {
			from := due
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
				// What the clock of this process sleeps too long is nobody's latency.
				from = time.Now()
			}
			if from.After(giveUp) || time.Now().After(giveUp) {
				break
			}
			if err := c.send(); err != nil {
				return err
			}
			done(time.Since(from))
		}
		return nil
	})
}

func run(clients []client, work func(c client, index int, done func(time.Duration)) error) (*report, error) {
	begin := time.Now()
	times := make([][]time.Duration, len(clients))
	failures := make([]error, len(clients))
	var group sync.WaitGroup
	for index, c := range clients {
		group.Go(func() {
			failures[index] = work(c, index, func(took time.Duration) { times[index] = append(times[index], took) })
		})
	}
	group.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	at := func(part float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[min(int(part*float64(len(all))), len(all)-1)].Microseconds()) / 1000
	}
	return &report{len(all), time.Since(begin).Seconds(), at(0.5), at(0.99), at(0.999)}, nil
}

type httpClient struct {
	connection net.Conn
	reader     *bufio.Reader
	// The head, with the body if that is small: one write.
	start  []byte
	body   []byte
	repeat int
}

const smallBody = 16 << 10

func dialHTTP(address string, head, body []byte, repeat int) (client, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &httpClient{connection, bufio.NewReaderSize(connection, 64<<10), head, body, repeat}
	if len(body)*repeat <= smallBody {
		c.start = append(bytes.Clone(head), bytes.Repeat(body, repeat)...)
		c.repeat = 0
	}
	return c, nil
}

func (c *httpClient) close() { c.connection.Close() }

func (c *httpClient) send() error {
	if _, err := c.connection.Write(c.start); err != nil {
		return err
	}
	for range c.repeat {
		if _, err := c.connection.Write(c.body); err != nil {
			return err
		}
	}
	return c.receive()
}

func (c *httpClient) receive() error {
	status, err := c.line()
	if err != nil {
		return err
	}
	length, chunked := -1, false
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		case "transfer-encoding":
			chunked = true
		}
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200") {
		text := make([]byte, 500)
		read, _ := c.reader.Read(text)
		return fmt.Errorf("%s: %s", status, text[:read])
	}
	if chunked {
		return c.chunks()
	}
	if length < 0 {
		return fmt.Errorf("%s: an answer without a length", status)
	}
	_, err = c.reader.Discard(length)
	return err
}

func (c *httpClient) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(line, 16, 64)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		if _, err := c.reader.Discard(int(size) + 2); err != nil {
			return err
		}
	}
	for {
		if line, err := c.line(); err != nil || line == "" {
			return err
		}
	}
}

func (c *httpClient) line() (string, error) {
	line, err := c.reader.ReadSlice('\n')
	if err == io.EOF {
		return "", fmt.Errorf("the connection ended within an answer")
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

// So many callers share a connection.
const callersOfConnection = 8

type grpcClient struct {
	connection *grpc.ClientConn
	stub       shopv1.ShopClient
}

func sharedGRPC(address string) func() (client, error) {
	var last *grpcClient
	count := 0
	return func() (client, error) {
		if count++; count%callersOfConnection != 1 {
			return last, nil
		}
		connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		last = &grpcClient{connection, shopv1.NewShopClient(connection)}
		return last, nil
	}
}

func (c *grpcClient) close() { c.connection.Close() }

func (c *grpcClient) send() error {
	_, err := c.stub.GetItem(context.Background(), &shopv1.Item{Id: "1"})
	return err
}
