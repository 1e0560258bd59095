// Package gosdk points the official Go server SDK, github.com/aliyun/alibaba-cloud-sdk-go, at the binary, as it
// is. It is a module of its own, so that nobody who uses Sampan downloads the SDK. Its tests are all there is:
//
//	cd cmd/clients/gosdk && GOWORK=off go test .
package gosdk
