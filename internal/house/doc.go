// Package house holds the tests of what no single room can test: who may import whom, and what every file
// of the repository has in common. It has no code of its own.
package house
