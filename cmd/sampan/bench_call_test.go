package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// post makes a call and returns its answer.
func post(ctx context.Context, client *http.Client, url, text string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// Calls get their own answers over few connections, also from a server that has closed them meanwhile.
func TestCallTransport(t *testing.T) {
	var mu sync.Mutex
	connections := 0
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) == "last" {
			w.Header().Set("Connection", "close")
		}
		fmt.Fprintf(w, "answer to %s", body)
	})
	server := httptest.NewUnstartedServer(echo)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			connections++
			mu.Unlock()
		}
	}
	server.Start()
	defer server.Close()
	transport := new(callTransport)
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	call := func(text string) {
		t.Helper()
		if got, err := post(t.Context(), client, server.URL, text); err != nil || got != "answer to "+text {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	const callers, each = 5, 20
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() {
			for n := range each {
				call(fmt.Sprint("call ", i, " ", n))
			}
		})
	}
	calling.Wait()
	mu.Lock()
	if connections < 1 || connections > callers {
		t.Errorf("%d connections for %d callers", connections, callers)
	}
	mu.Unlock()
	call("last") // ends its connection
	call("after the last")
	server.CloseClientConnections()
	call("after a new start")
	call("again")
	server.Close()
	if got, err := post(t.Context(), client, server.URL, "to nobody"); err == nil {
		t.Errorf("answered by nobody: %q", got)
	}
}

// A call ends with its context, and its connection is not used again.
func TestCallTransportIsCancelled(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer server.Close()
	defer close(release)
	transport := new(callTransport)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	go func() { // ends with the call
		<-arrived
		cancel()
	}()
	if _, err := post(ctx, &http.Client{Transport: transport}, server.URL, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if transport.take() != nil {
		t.Error("the connection of a call that was given up is kept")
	}
}
