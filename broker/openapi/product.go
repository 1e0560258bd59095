package openapi

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"sampan/broker/device"
)

// createProduct makes a product.
func (b *Backend) createProduct(_ context.Context, p Params) (object, error) {
	if err := p.need("ProductName", "NodeType"); err != nil {
		return nil, err
	}
	node, err := p.number("NodeType", 0)
	if err != nil || node < 0 || node > 1 {
		return nil, invalid("NodeType", p.Get("NodeType"))
	}
	format, err := p.number("DataFormat", 1)
	if err != nil || format < 0 || format > 1 {
		return nil, invalid("DataFormat", p.Get("DataFormat"))
	}
	auth := device.BySecret
	if s := p.Get("AuthType"); s != "" {
		var ok bool
		if auth, ok = device.ParseAuthType(s); !ok {
			return nil, invalid("AuthType", s)
		}
	}
	services, _ := p.services()
	made, err := b.Registry.CreateProduct(device.ProductSpec{
		Key:         p.Get("ProductKey"), // not the platform's: for products that devices in the field know already
		Secret:      p.Get("ProductSecret"),
		Name:        p.Get("ProductName"),
		Description: p.Get("Description"),
		NodeType:    device.NodeType(node),
		DataFormat:  device.DataFormat(format),
		AuthType:    auth,

		SyncServices: services,
	})
	if err != nil {
		return nil, translateAs(err, "iot.prod.AlreadyExistedProductName", "iot.prod.InvalidFormattedProductName", "iot.prod.LongQuantityExceed")
	}
	return object{{"ProductKey", made.Key}, {"Data", productData(made)}}, nil
}

func productData(p *device.Product) object {
	return object{
		{"ProductKey", p.Key},
		{"ProductName", p.Name},
		{"ProductSecret", p.Secret},
		{"NodeType", int(p.NodeType)},
		{"DataFormat", int(p.DataFormat)},
		{"AuthType", p.AuthType.String()},
	}.and("Description", p.Description).
		and("GmtCreate", p.Created.UnixMilli()).
		and("ProductStatus", "DEVELOPMENT_STATUS").
		and("DynamicRegister", p.DynamicRegistration).         // these two
		and("SyncServices", strings.Join(p.SyncServices, ",")) // are not the platform's
}

// services returns the identifiers in SyncServices, if that is there. It is not the platform's, where a service
// says in the product's model that its callers wait for the answer.
func (p Params) services() (list []string, there bool) {
	if _, there = p["SyncServices"]; !there {
		return nil, false
	}
	if s := p.Get("SyncServices"); s != "" {
		list = strings.Split(s, ",")
	}
	return list, true
}

func (b *Backend) queryProduct(_ context.Context, p Params) (object, error) {
	found, err := b.product(p)
	if err != nil {
		return nil, err
	}
	return object{{"Data", append(productData(found), member{"DeviceCount", b.Registry.DeviceCount(found.Key)})}}, nil
}

func (b *Backend) queryProductList(_ context.Context, p Params) (object, error) {
	skip, n, current, err := p.page("CurrentPage", "PageSize")
	if err != nil {
		return nil, err
	}
	var list []object
	total := 0
	for found := range b.Registry.Products() {
		if total >= skip && len(list) < n {
			list = append(list, append(productData(found), member{"DeviceCount", b.Registry.DeviceCount(found.Key)}))
		}
		total++
	}
	return object{{"Data", object{
		{"CurrentPage", current}, {"PageCount", (total + n - 1) / n}, {"PageSize", n}, {"Total", total},
		{"List", object{{"ProductInfo", orEmpty(list)}}},
	}}}, nil
}

// orEmpty makes JSON write [] and not null.
func orEmpty(list []object) []object {
	if list == nil {
		return []object{}
	}
	return list
}

func (b *Backend) updateProduct(_ context.Context, p Params) (object, error) {
	found, err := b.product(p)
	if err != nil {
		return nil, err
	}
	var patch device.ProductPatch
	if s := p.Get("ProductName"); s != "" {
		patch.Name = &s
	}
	if s := p.Get("Description"); s != "" {
		patch.Description = &s
	}
	if s := p.Get("DynamicRegister"); s != "" { // not the platform's, where only the console has this switch
		on, err := strconv.ParseBool(s)
		if err != nil {
			return nil, invalid("DynamicRegister", s)
		}
		patch.DynamicRegistration = &on
	}
	if list, there := p.services(); there {
		patch.SyncServices = &list
	}
	_, err = b.Registry.ChangeProduct(found.Key, patch)
	return object{}, translateAs(err, "iot.prod.AlreadyExistedProductName", "iot.prod.InvalidFormattedProductName", "iot.prod.LongQuantityExceed")
}

func (b *Backend) deleteProduct(_ context.Context, p Params) (object, error) {
	found, err := b.product(p)
	if err != nil {
		return nil, err
	}
	return object{}, translate(b.Registry.DeleteProduct(found.Key))
}

// createProductTopic adds a topic category.
func (b *Backend) createProductTopic(_ context.Context, p Params) (object, error) {
	found, err := b.product(p)
	if err != nil {
		return nil, err
	}
	if err := p.need("TopicShortName", "Operation"); err != nil {
		return nil, err
	}
	o, ok := device.ParseOperation(p.Get("Operation"))
	if !ok {
		return nil, failed("iot.messagebroker.InvalidTopicTemplateOperationValue", "Operation is PUB, SUB or ALL.")
	}
	c, err := b.Registry.CreateCategory(found.Key, topicSuffix(found.Key, p.Get("TopicShortName")), o, p.Get("Desc"))
	if err != nil {
		return nil, translateAs(err, "iot.messagebroker.TopicAlreadyFound", "iot.messagebroker.InvalidFormattedTopicName", "iot.messagebroker.TopicTemplateCountExceedMax")
	}
	return object{{"TopicId", c.ID}}, nil
}

// topicSuffix takes the product and the device off a topic category, if they are given.
func topicSuffix(productKey, topic string) string {
	return strings.TrimPrefix(topic, "/"+productKey+"/"+device.DeviceNamePlaceholder+"/")
}

// operationCode is how QueryProductTopic writes an operation.
func operationCode(o device.Operation) string {
	return map[device.Operation]string{device.Publish: "0", device.Subscribe: "1", device.PublishAndSubscribe: "2"}[o]
}

func (b *Backend) queryProductTopic(_ context.Context, p Params) (object, error) {
	found, err := b.product(p)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, c := range found.Categories {
		list = append(list, object{
			{"Id", c.ID}, {"ProductKey", found.Key}, {"TopicShortName", c.Topic(found.Key)}, {"Operation", operationCode(c.Operation)},
		}.and("Desc", c.Note))
	}
	return object{{"Data", object{{"ProductTopicInfo", list}}}}, nil
}

// category finds the topic category that TopicId names.
func (b *Backend) category(p Params) (*device.Product, device.Category, error) {
	id, err := strconv.ParseUint(p.Get("TopicId"), 10, 64)
	if err != nil {
		return nil, device.Category{}, invalid("TopicId", p.Get("TopicId"))
	}
	product, c, err := b.Registry.CategoryByID(id)
	return product, c, translate(err)
}

func (b *Backend) updateProductTopic(_ context.Context, p Params) (object, error) {
	product, c, err := b.category(p)
	if err != nil {
		return nil, err
	}
	if s := p.Get("TopicShortName"); s != "" {
		c.Suffix = topicSuffix(product.Key, s)
	}
	if s := p.Get("Operation"); s != "" {
		o, ok := device.ParseOperation(s)
		if !ok {
			return nil, failed("iot.messagebroker.InvalidTopicTemplateOperationValue", "Operation is PUB, SUB or ALL.")
		}
		c.Operation = o
	}
	if s := p.Get("Desc"); s != "" {
		c.Note = s
	}
	err = b.Registry.ChangeCategory(product.Key, c.ID, c.Suffix, c.Operation, c.Note)
	return object{}, translateAs(err, "iot.messagebroker.TopicAlreadyFound", "iot.messagebroker.InvalidFormattedTopicName", "")
}

func (b *Backend) deleteProductTopic(_ context.Context, p Params) (object, error) {
	product, c, err := b.category(p)
	if err != nil {
		return nil, err
	}
	return object{}, translate(b.Registry.DeleteCategory(product.Key, c.ID))
}

func collect[T any](seq func(func(T) bool), skip, n int) (list []T, total int) {
	for v := range seq {
		if total >= skip && len(list) < n {
			list = append(list, v)
		}
		total++
	}
	return slices.Clip(list), total
}
