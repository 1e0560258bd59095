package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"sampan/broker/device"
)

// Product is a product in results.
type Product struct {
	ProductKey          string    `json:"productKey"`
	ProductSecret       string    `json:"productSecret"`
	Name                string    `json:"name"`
	Description         string    `json:"description,omitempty"`
	Node                string    `json:"node"` // device or gateway
	Format              string    `json:"format"`
	Auth                string    `json:"auth"`
	DynamicRegistration bool      `json:"dynamicRegistration"`
	Authorities         []string  `json:"authorities,omitempty"` // SHA-256 of the keys of those who speak for its devices
	SyncServices        []string  `json:"syncServices,omitempty"`
	Devices             int       `json:"devices"`
	Created             time.Time `json:"created"`
}

// NewProduct is a product to make. What is empty is generated or takes the platform's default.
type NewProduct struct {
	ProductKey          string   `json:"productKey"`
	ProductSecret       string   `json:"productSecret"`
	Name                string   `json:"name"`
	Description         string   `json:"description"`
	Node                string   `json:"node"`
	Format              string   `json:"format"`
	Auth                string   `json:"auth"`
	DynamicRegistration bool     `json:"dynamicRegistration"`
	SyncServices        []string `json:"syncServices,omitempty"`

	Authorities []string `json:"authorities,omitempty"` // as in Product
}

// The words for kinds of products; the first is the default.
var (
	Nodes   = []string{"device", "gateway"}
	Formats = []string{"alink", "raw"}
	Auths   = []string{"secret", "id2", "x509"}
)

func (p *NewProduct) spec() (device.ProductSpec, error) {
	spec := device.ProductSpec{
		Key: p.ProductKey, Secret: p.ProductSecret, Name: p.Name, Description: p.Description,
		DataFormat: device.Alink, DynamicRegistration: p.DynamicRegistration, SyncServices: p.SyncServices,
	}
	if p.Node == "gateway" {
		spec.NodeType = device.Gateway
	}
	if p.Format == "raw" {
		spec.DataFormat = device.Raw
	}
	if p.Auth != "" {
		var known bool
		if spec.AuthType, known = device.ParseAuthType(p.Auth); !known {
			return spec, fmt.Errorf("unknown kind of authentication %q", p.Auth)
		}
	}
	var err error
	spec.Authorities, err = keyFingerprints(p.Authorities)
	return spec, err
}

// keyFingerprints reads fingerprints of keys in hexadecimal.
func keyFingerprints(texts []string) (keys []device.KeyFingerprint, err error) {
	for _, text := range texts {
		key, err := fingerprint(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func productOf(b *Backend, p *device.Product) Product {
	result := Product{
		ProductKey: p.Key, ProductSecret: p.Secret, Name: p.Name, Description: p.Description,
		Node: "device", Format: "raw", Auth: p.AuthType.String(),
		DynamicRegistration: p.DynamicRegistration, SyncServices: p.SyncServices, Devices: b.Registry.DeviceCount(p.Key), Created: p.Created.UTC(),
	}
	if p.NodeType == device.Gateway {
		result.Node = "gateway"
	}
	if p.DataFormat == device.Alink {
		result.Format = "alink"
	}
	for _, key := range p.Authorities {
		result.Authorities = append(result.Authorities, hex.EncodeToString(key[:]))
	}
	return result
}

var productCreate = define("product.create", func(_ context.Context, b *Backend, p NewProduct) (Product, error) {
	spec, err := p.spec()
	if err != nil {
		return Product{}, err
	}
	made, err := b.Registry.CreateProduct(spec)
	if err != nil {
		return Product{}, err
	}
	return productOf(b, made), nil
})

// CreateProduct makes a product.
func CreateProduct(ctx context.Context, c Caller, p NewProduct) (Product, error) {
	return productCreate.on(ctx, c, p)
}

var productList = define("product.list", func(_ context.Context, b *Backend, _ nothing) ([]Product, error) {
	list := []Product{}
	for p := range b.Registry.Products() {
		list = append(list, productOf(b, p))
	}
	return list, nil
})

// ListProducts lists all products in the order in which they were made.
func ListProducts(ctx context.Context, c Caller) ([]Product, error) {
	return productList.on(ctx, c, nothing{})
}

// productName names a product.
type productName struct {
	ProductKey string `json:"productKey"`
}

var productShow = define("product.show", func(_ context.Context, b *Backend, n productName) (Product, error) {
	p, err := b.Registry.Product(n.ProductKey)
	if err != nil {
		return Product{}, fmt.Errorf("%s: %w", n.ProductKey, err)
	}
	return productOf(b, p), nil
})

// ShowProduct describes a product.
func ShowProduct(ctx context.Context, c Caller, productKey string) (Product, error) {
	return productShow.on(ctx, c, productName{productKey})
}

// ProductAuthorities are the authorities that are to speak for a product's devices.
type ProductAuthorities struct {
	ProductKey  string   `json:"productKey"`
	Authorities []string `json:"authorities"` // SHA-256 of their keys in hexadecimal; none: whoever the listener trusts
}

var productAuthorities = define("product.authorities", func(_ context.Context, b *Backend, n ProductAuthorities) (Product, error) {
	keys, err := keyFingerprints(n.Authorities)
	if err != nil {
		return Product{}, err
	}
	changed, err := b.Registry.SetAuthorities(n.ProductKey, keys)
	if err != nil {
		return Product{}, fmt.Errorf("%s: %w", n.ProductKey, err)
	}
	return productOf(b, changed), nil
})

// SetAuthorities names the authorities that may speak for a product's devices, and disconnects those that are
// connected.
func SetAuthorities(ctx context.Context, c Caller, n ProductAuthorities) (Product, error) {
	return productAuthorities.on(ctx, c, n)
}
