package control

import (
	"context"
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
	return spec, nil
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
