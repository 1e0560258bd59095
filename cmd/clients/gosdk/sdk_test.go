package gosdk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/iot"
)

// patience is how long these tests wait for the broker.
const patience = 30 * time.Second

// start builds and runs a broker and returns the address of its API and an access key.
func start(t *testing.T) (domain, id, secret string) {
	t.Helper()
	dir := t.TempDir()
	path, data := filepath.Join(dir, "sampan"), filepath.Join(dir, "data")
	build := exec.Command("go", "build", "-o", path, "./sampan")
	build.Dir = "../.." // the binary's module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(path, "accesskey", "create", "--data", data, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var key struct{ AccessKeyID, AccessKeySecret string }
	if err := json.Unmarshal(out, &key); err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(path, "serve", "--data", data, "--durability", "memory", "--listen", "mqtt://127.0.0.1:0", "--api", "127.0.0.1:0")
	var log bytes.Buffer
	broker.Stderr = &log
	pipe, err := broker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { broker.Process.Kill() })
	t.Cleanup(func() {
		timer.Stop()
		broker.Process.Signal(syscall.SIGTERM)
		if err := broker.Wait(); err != nil {
			t.Errorf("the broker ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the broker's log:\n%s", &log)
		}
	})
	line := make([]byte, 512)
	n, err := pipe.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(line[:n])) {
		if rest, found := strings.CutPrefix(word, "api=http://"); found {
			return rest, key.AccessKeyID, key.AccessKeySecret
		}
	}
	t.Fatalf("no API in %q", line[:n])
	return
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// do points a request of the SDK at the broker and calls it.
func do[Q requests.AcsRequest, A any](t *testing.T, domain string, r Q, call func(Q) (A, error)) A {
	t.Helper()
	r.SetScheme("http")
	r.SetDomain(domain)
	a, err := call(r)
	if err != nil {
		t.Fatalf("%s: %v", r.GetActionName(), err)
	}
	return a
}

func TestTheOfficialGoServerSDK(t *testing.T) {
	domain, id, secret := start(t)
	client, err := iot.NewClientWithAccessKey("cn-shanghai", id, secret)
	if err != nil {
		t.Fatal(err)
	}

	create := iot.CreateCreateProductRequest()
	create.ProductName, create.NodeType = "meters (a+b) *~", requests.NewInteger(0)
	product := do(t, domain, create, client.CreateProduct)
	if !product.Success || product.ProductKey == "" || product.Data.ProductSecret == "" {
		t.Fatalf("CreateProduct: %+v", product)
	}
	key := product.ProductKey

	register := iot.CreateRegisterDeviceRequest()
	register.ProductKey, register.DeviceName = key, "meter-1"
	device := do(t, domain, register, client.RegisterDevice)
	if !device.Success || device.Data.DeviceSecret == "" || device.Data.IotId == "" {
		t.Fatalf("RegisterDevice: %+v", device)
	}
	if again := do(t, domain, register, client.RegisterDevice); again.Success || again.Code != "iot.device.AlreadyExistedDeviceName" {
		t.Errorf("RegisterDevice again: %+v", again)
	}

	detail := iot.CreateQueryDeviceDetailRequest()
	detail.IotId = device.Data.IotId
	if a := do(t, domain, detail, client.QueryDeviceDetail); !a.Success || a.Data.DeviceName != "meter-1" || a.Data.Status != "UNACTIVE" {
		t.Errorf("QueryDeviceDetail: %+v", a)
	}
	status := iot.CreateGetDeviceStatusRequest()
	status.ProductKey, status.DeviceName = key, "meter-1"
	if a := do(t, domain, status, client.GetDeviceStatus); !a.Success || a.Data.Status != "UNACTIVE" {
		t.Errorf("GetDeviceStatus: %+v", a)
	}

	batch := iot.CreateBatchRegisterDeviceRequest()
	batch.ProductKey, batch.Count = key, requests.NewInteger(3)
	applied := do(t, domain, batch, client.BatchRegisterDevice)
	page := iot.CreateQueryPageByApplyIdRequest()
	page.ApplyId, page.CurrentPage, page.PageSize = requests.NewInteger64(applied.Data.ApplyId), requests.NewInteger(1), requests.NewInteger(10)
	if a := do(t, domain, page, client.QueryPageByApplyId); !a.Success || len(a.ApplyDeviceList.ApplyDeviceInfo) != 3 {
		t.Errorf("QueryPageByApplyId: %+v", a)
	}

	topic := iot.CreateCreateProductTopicRequest()
	topic.ProductKey, topic.TopicShortName, topic.Operation = key, "user/read", "SUB"
	if a := do(t, domain, topic, client.CreateProductTopic); !a.Success || a.TopicId == 0 {
		t.Errorf("CreateProductTopic: %+v", a)
	}

	// Its parameters are split between query and form; the signature covers both.
	pub := iot.CreatePubRequest()
	pub.ProductKey, pub.TopicFullName = key, "/"+key+"/meter-1/user/read"
	pub.MessageContent, pub.Qos = encode(strings.Repeat("x+/ ", 10_000)), requests.NewInteger(1)
	if a := do(t, domain, pub, client.Pub); !a.Success {
		t.Errorf("Pub: %+v", a)
	} else if n, err := strconv.ParseUint(a.MessageId, 10, 64); err != nil || n < 1e18 {
		t.Errorf("Pub: message id %q", a.MessageId)
	}

	call := iot.CreateRRpcRequest()
	call.ProductKey, call.DeviceName, call.RequestBase64Byte, call.Timeout = key, "meter-1", encode("?"), requests.NewInteger(1000)
	if a := do(t, domain, call, client.RRpc); !a.Success || a.RrpcCode != "OFFLINE" {
		t.Errorf("RRpc: %+v", a)
	}

	broadcast := iot.CreatePubBroadcastRequest()
	broadcast.ProductKey, broadcast.TopicFullName, broadcast.MessageContent = key, "/broadcast/"+key+"/news", encode("news")
	if a := do(t, domain, broadcast, client.PubBroadcast); !a.Success {
		t.Errorf("PubBroadcast: %+v", a)
	}

	stranger, err := iot.NewClientWithAccessKey("cn-shanghai", id, "wrong")
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.GetDeviceStatus(status)
	if e, ok := err.(sdkerrors.Error); !ok || !strings.HasPrefix(e.ErrorCode(), "SignatureDoesNotMatch") {
		t.Errorf("with a wrong secret: %v", err)
	}
}
