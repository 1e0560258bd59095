//go:build !linux

// Epoll is the ceiling program with an epoll loop of its own, which is there
// on Linux only.
package main

import "log"

func main() { log.Fatal("epoll is there on Linux only; see netconn") }
