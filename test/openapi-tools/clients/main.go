// Writes and reads a key, and follows a prefix, by the client that oapi-codegen made (package api).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"photongate.invalid/api/api"
)

func main() {
	client, err := api.NewClientWithResponses(os.Args[1])
	check(err)
	ctx := context.Background()

	body := api.ChainFireServicePutJSONRequestBody{Value: "hello"}
	put, err := client.ChainFireServicePutWithResponse(ctx, "go/ada", body)
	check(err)
	expect(put.StatusCode(), http.StatusOK)

	found, err := client.ChainFireServiceGetWithResponse(ctx, "go/ada")
	check(err)
	expect(*found.JSON200.Data.Value, "hello")

	missing, err := client.ChainFireServiceGetWithResponse(ctx, "go/none")
	check(err)
	expect(missing.JSONDefault.Error.Code, "NOT_FOUND")

	// ChainFireServiceWatchWithResponse would wait for the end of the stream; this one returns at once.
	prefix, revision := "go/", "1"
	params := api.ChainFireServiceWatchParams{Prefix: &prefix, StartRevision: &revision}
	lines := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Accept", "application/x-ndjson")
		return nil
	}
	response, err := client.ChainFireServiceWatch(ctx, &params, lines)
	check(err)
	defer response.Body.Close()
	scanner := bufio.NewScanner(response.Body)
	scanner.Scan()
	check(scanner.Err())
	var frame struct{ Data api.WatchEvent }
	check(json.Unmarshal(scanner.Bytes(), &frame))
	expect(*frame.Data.Item.Value, "hello")
	fmt.Println("ok")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func expect[T comparable](found, wanted T) {
	if found != wanted {
		log.Fatalf("found %v, expected %v", found, wanted)
	}
}
