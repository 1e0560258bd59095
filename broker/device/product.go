package device

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"sampan/broker/device/internal/compact"
)

// NodeType says whether devices of a product connect sub-devices.
type NodeType uint8

// The values are those of the server's API.
const (
	Node    NodeType = 0
	Gateway NodeType = 1
)

// DataFormat says whose format the payloads of a product have.
type DataFormat uint8

// The values are those of the server's API.
const (
	Raw   DataFormat = 0
	Alink DataFormat = 1
)

// AuthType says how the devices of a product prove who they are.
type AuthType uint8

const (
	BySecret AuthType = iota
	ByChip            // ID²
	ByCertificate
)

var authTypeNames = [...]string{BySecret: "secret", ByChip: "id2", ByCertificate: "x509"}

// ParseAuthType reads secret, id2 or x509.
func ParseAuthType(name string) (AuthType, bool) {
	for i, n := range authTypeNames {
		if n == name {
			return AuthType(i), true
		}
	}
	return 0, false
}

// String returns secret, id2 or x509.
func (a AuthType) String() string {
	if int(a) < len(authTypeNames) {
		return authTypeNames[a]
	}
	return "unknown"
}

// Product is a product as it was when it was looked up. It is shared and never changes; a change makes a new
// one.
type Product struct {
	ID          uint64 // unique among products and topic categories, never given again; gives their order
	Key         string
	Secret      string // empty: not known, as it may be of a product that was imported
	Name        string // for people
	Description string // for people
	NodeType    NodeType
	DataFormat  DataFormat
	AuthType    AuthType

	// DynamicRegistration lets devices ask for their secrets with the product's secret.
	DynamicRegistration bool
	// SyncServices are the services of the product's model whose callers wait for the answer.
	SyncServices []string

	// Authorities may say by certificate which of the product's devices somebody is, and no others; none: all that
	// the listener trusts.
	Authorities []KeyFingerprint

	Created    time.Time // to the millisecond
	Categories []Category
}

// ProductSpec describes a product to make.
type ProductSpec struct {
	Key    string // empty: generated
	Secret string // empty: generated
	Name   string // empty: the key

	Description         string
	NodeType            NodeType
	DataFormat          DataFormat
	AuthType            AuthType
	DynamicRegistration bool
	Authorities         []KeyFingerprint // for ByCertificate only
	SyncServices        []string

	// Categories are the topic categories to begin with; nil: the platform's default. IDs are given anew.
	Categories []Category

	imported bool // an empty secret stays empty
}

// ProductPatch says what to change of a product; nil fields stay.
type ProductPatch struct {
	Name                *string
	Description         *string
	DynamicRegistration *bool
	SyncServices        *[]string
}

// product is the registry's own of one product.
type product struct {
	info    atomic.Pointer[Product]
	devices compact.Table
}

// check says whether a specification is complete and valid.
func (s *ProductSpec) check() error {
	if err := checkProductKey(s.Key); err != nil {
		return err
	}
	if s.Secret != "" || !s.imported {
		if err := checkSecret("product secret", s.Secret); err != nil {
			return err
		}
	}
	if err := checkLabel("product name", s.Name); err != nil {
		return err
	}
	if err := checkLabel("description", s.Description); err != nil {
		return err
	}
	if err := checkServices(s.SyncServices); err != nil {
		return err
	}
	if s.NodeType > Gateway || s.DataFormat > Alink || int(s.AuthType) >= len(authTypeNames) {
		return refuse(ErrInvalid, "node type %d, data format %d or authentication type %d of product %s is unknown",
			s.NodeType, s.DataFormat, s.AuthType, s.Key)
	}
	if err := checkAuthorities(s.AuthType, s.Authorities); err != nil {
		return err
	}
	for i, c := range s.Categories {
		if err := checkCategory(s.Key, c.Suffix, c.Operation); err != nil {
			return err
		}
		if err := checkLabel("note of a topic category", c.Note); err != nil {
			return err
		}
		for _, other := range s.Categories[:i] {
			if other.Suffix == c.Suffix {
				return refuse(ErrExists, "topic category %s", c.Suffix)
			}
		}
	}
	return nil
}

// Limits on what a product says of services.
const (
	mostServices   = 256
	longestService = 64 // bytes of an identifier
)

// checkServices says whether these can be the identifiers of services: a level of a topic each, and without the
// comma that stands between them in the API.
func checkServices(list []string) error {
	if err := within(len(list)-1, mostServices, "services of this product"); err != nil {
		return err
	}
	for i, id := range list {
		if id == "" || len(id) > longestService || strings.ContainsAny(id, "/+#,\x00") || !utf8.ValidString(id) {
			return refuse(ErrInvalid, "identifier of a service %q", id)
		}
		if slices.Contains(list[:i], id) {
			return refuse(ErrExists, "service %s comes twice", id)
		}
	}
	return nil
}
