package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiPage is the number of products or devices in one answer of the API.
const apiPage = 200

// apiProduct is a product in answers of the API.
type apiProduct struct {
	ProductKey, ProductName, ProductSecret, Description, AuthType string
	NodeType, DataFormat, DeviceCount                             int
	GmtCreate                                                     int64 // milliseconds since 1970

	// Those are not the platform's.
	DynamicRegister bool
	SyncServices    string // with commas between them
}

func (p apiProduct) product() Product {
	result := Product{
		ProductKey: p.ProductKey, ProductSecret: p.ProductSecret, Name: p.ProductName, Description: p.Description,
		Node: "device", Format: "raw", Auth: p.AuthType, Devices: p.DeviceCount, Created: time.UnixMilli(p.GmtCreate).UTC(),
		DynamicRegistration: p.DynamicRegister,
	}
	if p.SyncServices != "" {
		result.SyncServices = strings.Split(p.SyncServices, ",")
	}
	if p.NodeType == 1 {
		result.Node = "gateway"
	}
	if p.DataFormat == 1 {
		result.Format = "alink"
	}
	return result
}

func (a *api) createProduct(ctx context.Context, p NewProduct) (Product, error) {
	if len(p.Authorities) > 0 {
		return Product{}, errors.New("the API does not take authorities of a product; use --data on the broker's machine")
	}
	params := map[string]string{
		"ProductName": p.Name, "NodeType": "0", "DataFormat": "1", "AuthType": p.Auth,
		"ProductKey": p.ProductKey, "ProductSecret": p.ProductSecret, "Description": p.Description,
	}
	if len(p.SyncServices) > 0 {
		params["SyncServices"] = strings.Join(p.SyncServices, ",")
	}
	if p.Name == "" {
		params["ProductName"] = p.ProductKey
	}
	if p.Node == "gateway" {
		params["NodeType"] = "1"
	}
	if p.Format == "raw" {
		params["DataFormat"] = "0"
	}
	var made struct{ Data apiProduct }
	if err := a.do(ctx, "CreateProduct", params, &made); err != nil {
		return Product{}, err
	}
	result := made.Data.product()
	if p.DynamicRegistration {
		result.DynamicRegistration = true
		return result, a.do(ctx, "UpdateProduct", map[string]string{"ProductKey": result.ProductKey, "DynamicRegister": "true"}, &struct{}{})
	}
	return result, nil
}

func (a *api) listProducts(ctx context.Context, _ nothing) ([]Product, error) {
	list := []Product{}
	for page := 1; ; page++ {
		var answer struct {
			Data struct {
				PageCount int
				List      struct{ ProductInfo []apiProduct }
			}
		}
		if err := a.do(ctx, "QueryProductList", map[string]string{"CurrentPage": strconv.Itoa(page), "PageSize": strconv.Itoa(apiPage)}, &answer); err != nil {
			return nil, err
		}
		for _, p := range answer.Data.List.ProductInfo {
			list = append(list, p.product())
		}
		if page >= answer.Data.PageCount {
			return list, nil
		}
	}
}

func (a *api) showProduct(ctx context.Context, n productName) (Product, error) {
	var found struct{ Data apiProduct }
	err := a.do(ctx, "QueryProduct", map[string]string{"ProductKey": n.ProductKey}, &found)
	return found.Data.product(), err
}

// apiDevice is a device in answers of the API.
type apiDevice struct {
	ProductKey, DeviceName, DeviceSecret, IotID, Nickname, Status, DeviceStatus, IPAddress string
	UtcCreate, UtcActive                                                                   string
}

func (d apiDevice) device() Device {
	result := Device{
		ProductKey: d.ProductKey, DeviceName: d.DeviceName, DeviceSecret: d.DeviceSecret, IotID: d.IotID, Nickname: d.Nickname,
		Status: map[string]string{"UNACTIVE": "unactivated", "DISABLE": "disabled", "ONLINE": "enabled", "OFFLINE": "enabled"}[d.Status],
	}
	result.Created, _ = time.Parse(time.RFC3339, d.UtcCreate) // zero if the answer does not say
	if at, err := time.Parse(time.RFC3339, d.UtcActive); err == nil {
		result.Activated = &at
	}
	if d.Status == "ONLINE" {
		result.Connection = &Connection{Address: d.IPAddress}
	}
	return result
}

// createDevices makes devices one after the other: the API does not make several at once with an answer.
func (a *api) createDevices(ctx context.Context, n NewDevices) ([]Device, error) {
	names, err := n.named()
	if err != nil {
		return nil, err
	}
	var list []Device
	for _, name := range names {
		var made struct{ Data apiDevice }
		err := a.do(ctx, "RegisterDevice", map[string]string{
			"ProductKey": n.ProductKey, "DeviceName": name, "DeviceSecret": n.Secret, "Nickname": n.Nickname,
		}, &made)
		if err != nil {
			return nil, fmt.Errorf("%s, after %d devices were made: %w", name, len(list), err)
		}
		list = append(list, made.Data.device())
	}
	return list, nil
}

func (a *api) listDevices(ctx context.Context, p page) (pageOf, error) {
	number := int(p.From) + 1
	var answer struct {
		PageCount int
		Data      struct{ DeviceInfo []apiDevice }
	}
	err := a.do(ctx, "QueryDevice", map[string]string{
		"ProductKey": p.ProductKey, "CurrentPage": strconv.Itoa(number), "PageSize": strconv.Itoa(apiPage),
	}, &answer)
	if err != nil {
		return pageOf{}, err
	}
	result := pageOf{Devices: []Device{}}
	for _, d := range answer.Data.DeviceInfo {
		result.Devices = append(result.Devices, d.device())
	}
	if number < answer.PageCount {
		result.Next = uint32(number)
	}
	return result, nil
}

func (n DeviceName) params() map[string]string {
	return map[string]string{"ProductKey": n.ProductKey, "DeviceName": n.DeviceName}
}

func (a *api) showDevice(ctx context.Context, n DeviceName) (Device, error) {
	var found struct{ Data apiDevice }
	err := a.do(ctx, "QueryDeviceDetail", n.params(), &found)
	return found.Data.device(), err
}

// changeByAPI is an operation that changes a device and shows it.
func changeByAPI(action string) func(a *api, ctx context.Context, n DeviceName) (Device, error) {
	return func(a *api, ctx context.Context, n DeviceName) (Device, error) {
		if err := a.do(ctx, action, n.params(), &struct{}{}); err != nil {
			return Device{}, err
		}
		return a.showDevice(ctx, n)
	}
}

func (a *api) deleteDevice(ctx context.Context, n DeviceName) (nothing, error) {
	return nothing{}, a.do(ctx, "DeleteDevice", n.params(), &struct{}{})
}

// apiTopicOperations are the numbers by which QueryProductTopic names operations.
var apiTopicOperations = map[string]string{"0": "PUB", "1": "SUB", "2": "ALL"}

func (a *api) createTopic(ctx context.Context, n NewTopic) (Topic, error) {
	var made struct{ TopicID json.Number }
	err := a.do(ctx, "CreateProductTopic", map[string]string{
		"ProductKey": n.ProductKey, "TopicShortName": n.Topic, "Operation": n.Operation, "Desc": n.Note,
	}, &made)
	if err != nil {
		return Topic{}, err
	}
	list, err := a.listTopics(ctx, productName{n.ProductKey})
	if err != nil {
		return Topic{}, err
	}
	at := slices.IndexFunc(list, func(t Topic) bool { return t.ID == made.TopicID.String() })
	if at < 0 {
		return Topic{}, fmt.Errorf("the new topic category %s is not in the product's list", made.TopicID)
	}
	return list[at], nil
}

func (a *api) listTopics(ctx context.Context, n productName) ([]Topic, error) {
	var answer struct {
		Data struct {
			ProductTopicInfo []struct {
				ID                              json.Number
				TopicShortName, Operation, Desc string
			}
		}
	}
	if err := a.do(ctx, "QueryProductTopic", map[string]string{"ProductKey": n.ProductKey}, &answer); err != nil {
		return nil, err
	}
	list := []Topic{}
	for _, t := range answer.Data.ProductTopicInfo {
		list = append(list, Topic{t.ID.String(), t.TopicShortName, apiTopicOperations[t.Operation], t.Desc})
	}
	return list, nil
}

// deleteTopic first looks whether the topic category is the product's: the API asks for its id alone.
func (a *api) deleteTopic(ctx context.Context, n topicName) (nothing, error) {
	list, err := a.listTopics(ctx, productName{n.ProductKey})
	if err != nil {
		return nothing{}, err
	}
	id, err := strconv.ParseUint(n.ID, 10, 64)
	if err != nil || !slices.ContainsFunc(list, func(t Topic) bool { return t.ID == strconv.FormatUint(id, 10) }) {
		return nothing{}, fmt.Errorf("product %s has no topic category %s", n.ProductKey, n.ID)
	}
	return nothing{}, a.do(ctx, "DeleteProductTopic", map[string]string{"TopicId": n.ID}, &struct{}{})
}

func (a *api) rrpc(ctx context.Context, c Call) (Answer, error) {
	var answer struct {
		RrpcCode          string
		MessageID         json.Number
		PayloadBase64Byte string
	}
	err := a.do(ctx, "RRpc", map[string]string{
		"ProductKey": c.ProductKey, "DeviceName": c.DeviceName, "Topic": c.Topic,
		"RequestBase64Byte": base64.StdEncoding.EncodeToString(c.Payload), "Timeout": strconv.FormatInt(c.Timeout.Milliseconds(), 10),
	}, &answer)
	if err != nil {
		return Answer{}, err
	}
	payload, err := base64.StdEncoding.DecodeString(answer.PayloadBase64Byte)
	if err != nil {
		return Answer{}, fmt.Errorf("the API's answer: %w", err)
	}
	result := Answer{Code: answer.RrpcCode, MessageID: answer.MessageID.String(), Payload: payload}
	if !strings.EqualFold(answer.RrpcCode, "SUCCESS") {
		result.Detail = "the API says no more"
	}
	return result, nil
}
