//go:build !linux

package main

// evict does nothing here: what was written just now is read from memory.
func evict(string) error { return nil }
