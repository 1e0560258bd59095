// Package inprocess carries out scripts on the broker itself, without sockets and without waiting: its
// connections are in memory, its clock is moved by the script, and a step is over when every goroutine of
// the broker waits for something (testing/synctest). So a script gives the same result every time.
package inprocess
