package openapi

import (
	"container/list"
	"context"
	"sync"

	"sampan/broker/device"
)

// maxNames bounds the names in one request where the table has no limit.
const maxNames = 10_000

// registerBatch is how many devices one batch may make.
func (b *Backend) registerBatch() int {
	if n := b.limits.table.RegisterBatch; n > 0 {
		return min(n, maxNames)
	}
	return maxNames
}

// applications are the batches of devices that were applied for: checked, and made when that is asked for.
// The last maxApplications are kept.
type applications struct {
	mu    sync.Mutex
	last  int64
	byID  map[int64]*list.Element
	order list.List
}

const maxApplications = 1000

type application struct {
	id         int64
	productKey string
	names      []string
	made       bool
}

func (a *applications) add(productKey string, names []string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byID == nil {
		a.byID = make(map[int64]*list.Element)
	}
	for a.order.Len() >= maxApplications {
		first := a.order.Front()
		delete(a.byID, first.Value.(*application).id)
		a.order.Remove(first)
	}
	a.last++
	a.byID[a.last] = a.order.PushBack(&application{id: a.last, productKey: productKey, names: names})
	return a.last
}

// use calls f with an application, under the lock: what is made is made once.
func (a *applications) use(id int, productKey string, f func(*application) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.byID[int64(id)]
	if e == nil || e.Value.(*application).productKey != productKey && productKey != "" {
		return failed("iot.device.NotExistedApplyId", "The ApplyId does not exist.")
	}
	return f(e.Value.(*application))
}

// batchRegisterDevice makes devices with generated names.
func (b *Backend) batchRegisterDevice(_ context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	n, err := p.number("Count", 0)
	if err != nil || n < 1 || b.limits.over("register-batch", product.Key, n, b.registerBatch()) {
		return nil, invalid("Count", p.Get("Count"))
	}
	made, err := b.Registry.CreateDevices(product.Key, make([]device.DeviceSpec, n))
	if err != nil {
		return nil, translateAs(err, "iot.device.AlreadyExistedDeviceName", "iot.device.InvalidFormattedDeviceName", "iot.device.ExceedMaxDeviceNum")
	}
	names := make([]string, n)
	for i := range made {
		names[i] = string(made[i].Name())
	}
	id := b.applied.add(product.Key, names)
	_ = b.applied.use(int(id), product.Key, func(a *application) error { a.made = true; return nil })
	return object{{"Data", object{{"ApplyId", id}}}}, nil
}

// batchCheckDeviceNames applies for devices with given names: nothing is made yet.
func (b *Backend) batchCheckDeviceNames(_ context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	names, ok := p.list("DeviceName", maxNames)
	if !ok || b.limits.over("register-batch", product.Key, len(names), b.registerBatch()) {
		return nil, invalid("DeviceName.N", "1 to "+text(b.registerBatch())+" names")
	}
	invalidNames := []string{}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		_, err := b.Registry.Device(product.Key, name)
		if err == nil || seen[name] || !device.ValidDeviceName(name) {
			invalidNames = append(invalidNames, name)
		}
		seen[name] = true
	}
	if len(invalidNames) > 0 {
		return object{{"Data", object{{"InvalidDeviceNameList", object{{"InvalidDeviceName", invalidNames}}}}}},
			nil
	}
	return object{{"Data", object{{"ApplyId", b.applied.add(product.Key, names)}}}}, nil
}

// batchRegisterDeviceWithApplyID makes the devices that were applied for.
func (b *Backend) batchRegisterDeviceWithApplyID(_ context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	id, err := p.number("ApplyId", 0)
	if err != nil {
		return nil, err
	}
	err = b.applied.use(id, product.Key, func(a *application) error {
		if a.made {
			return nil
		}
		specs := make([]device.DeviceSpec, len(a.names))
		for i, name := range a.names {
			specs[i].Name = name
		}
		if _, err := b.Registry.CreateDevices(product.Key, specs); err != nil {
			return translateAs(err, "iot.device.AlreadyExistedDeviceName", "iot.device.InvalidFormattedDeviceName", "iot.device.ExceedMaxDeviceNum")
		}
		a.made = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return object{{"Data", object{{"ApplyId", id}}}}, nil
}

// queryPageByApplyID lists the devices of a batch with their secrets.
func (b *Backend) queryPageByApplyID(_ context.Context, p Params) (object, error) {
	id, err := p.number("ApplyId", 0)
	if err != nil {
		return nil, err
	}
	skip, n, current, err := p.page("CurrentPage", "PageSize")
	if err != nil {
		return nil, err
	}
	devices, total := []object{}, 0
	err = b.applied.use(id, p.Get("ProductKey"), func(a *application) error {
		if !a.made {
			return nil
		}
		total = len(a.names)
		for i := skip; i < total && len(devices) < n; i++ {
			d, err := b.Registry.Device(a.productKey, a.names[i])
			if err != nil {
				continue // deleted since
			}
			devices = append(devices, object{
				{"DeviceId", d.IotID()}, {"IotId", d.IotID()}, {"DeviceName", a.names[i]}, {"DeviceSecret", string(d.Secret())},
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return object{
		{"Page", current}, {"PageSize", n}, {"PageCount", (total + n - 1) / n}, {"Total", total},
		{"ApplyDeviceList", object{{"ApplyDeviceInfo", devices}}},
	}, nil
}

// queryBatchRegisterDeviceStatus says whether a batch was made.
func (b *Backend) queryBatchRegisterDeviceStatus(_ context.Context, p Params) (object, error) {
	id, err := p.number("ApplyId", 0)
	if err != nil {
		return nil, err
	}
	status := "CREATE"
	err = b.applied.use(id, p.Get("ProductKey"), func(a *application) error {
		if a.made {
			status = "CREATE_SUCCESS"
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return object{{"Data", object{{"Status", status}}}}, nil
}
