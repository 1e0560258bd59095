// Package codec compares Sampan's codec with other people's: go test -fuzz FuzzCodecs.
package codec
