package device

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sampan/broker/device/internal/compact"
	"sampan/session/wal"
)

// Options of a registry. The zero value has no limits and keeps every change on the disk.
type Options struct {
	// Level is what a change is safe from when the method that made it returns; 0: wal.Disk.
	Level wal.Level

	// Limits on what there may be; 0: none.
	MaxProducts             int
	MaxDevicesPerProduct    int
	MaxCategoriesPerProduct int
	MaxTokensPerDevice      int

	// Now is the clock; nil: time.Now. It is asked for the times that people see.
	Now func() time.Time
}

// Registry is the registry. All methods are safe for concurrent use; those that look something up take no
// lock.
type Registry struct {
	o   Options
	log log // nil: nothing is kept

	shards [shards]atomic.Pointer[map[string]*product]
	keys   atomic.Pointer[map[string]*AccessKey]
	order  atomic.Pointer[[]*product] // in the order of creation

	certificates certificates

	// mu is held while something changes: entries are appended, and changes become visible, in one order.
	mu          sync.Mutex
	closed      bool
	nextID      uint64
	watchers    []*watcher
	scratch     []byte // for an entry
	bodyScratch []byte // for the body in it
	entries     int    // in the log
	live        int    // of them that are needed
	checkpoint  bool   // one is being written
	failure     error  // of the last checkpoint

	background sync.WaitGroup // checkpoints; Close waits
}

// log is what the registry needs of the log in which it is kept. *wal.Log is one.
type log interface {
	Append(parts ...[]byte) (wal.Pos, error)
	Wait() error
	Replay(from wal.Pos, fn func(pos wal.Pos, rec []byte) error) (wal.Report, error)
	Truncate(before wal.Pos) error
	Stats() wal.Stats
	Close() error
}

// shards is the number of product maps; each is copied when a product is added to it.
const shards = 64

// Application marks the registry's log, so that no other one is read in its place.
const Application = "sampan devices 1"

// segmentBytes is the size of a file of the log.
const segmentBytes = 8 << 20

// New makes a registry in memory, for tests and for programs that bring their devices with them.
func New(o Options) *Registry {
	r := &Registry{o: o, nextID: 1}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	for i := range r.shards {
		r.shards[i].Store(&map[string]*product{})
	}
	r.keys.Store(&map[string]*AccessKey{})
	r.order.Store(new([]*product))
	return r
}

// Open opens the registry in a directory, which is made if it does not exist. The error matches ErrInUse if
// another process has it open, and is a *wal.Corrupt if the log is damaged.
func Open(dir string, o Options) (*Registry, error) {
	l, err := wal.Open(dir, wal.Options{Level: o.Level, App: Application, SegmentBytes: segmentBytes, KeepFree: 1})
	switch {
	case errors.Is(err, wal.ErrLocked):
		return nil, &inUse{dir: dir, cause: err}
	case err != nil:
		return nil, fmt.Errorf("device: cannot open the registry in %s: %w", dir, err)
	}
	r, err := open(l, o)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("device: cannot open the registry in %s: %w", dir, err)
	}
	return r, nil
}

// open makes a registry of what is in a log, and then belongs to it.
func open(l log, o Options) (*Registry, error) {
	r := New(o)
	if _, err := l.Replay(0, r.apply); err != nil {
		return nil, err
	}
	r.log = l
	r.mu.Lock()
	r.settle()
	r.tidy()
	r.mu.Unlock()
	return r, nil
}

// Close waits for a checkpoint that is being written, writes everything to the disk, and releases the
// directory. Looking up goes on to work.
func (r *Registry) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return ErrClosed
	}
	r.closed = true
	r.mu.Unlock()
	r.background.Wait()
	if r.log == nil {
		return nil
	}
	return r.log.Close()
}

// shard is the map in which a product is, if there is one.
func shard(key []byte) int {
	if len(key) == 0 {
		return 0
	}
	return (31*int(key[0]) + 7*int(key[len(key)/2]) + int(key[len(key)-1])) % shards
}

func (r *Registry) product(key []byte) *product {
	return (*r.shards[shard(key)].Load())[string(key)]
}

func (p *product) device(item compact.Item) Device {
	return Device{product: p.info.Load(), item: item, state: item.Entry.State.Load()}
}

// Lookup finds a device by the bytes of its names. It allocates nothing and takes no lock. The error is
// ErrNoProduct or ErrNoDevice.
func (r *Registry) Lookup(productKey, deviceName []byte) (Device, error) {
	p := r.product(productKey)
	if p == nil {
		return Device{}, ErrNoProduct
	}
	item, found := p.devices.Find(deviceName)
	if !found {
		return Device{}, ErrNoDevice
	}
	return p.device(item), nil
}

// Device is Lookup for those who have strings.
func (r *Registry) Device(productKey, deviceName string) (Device, error) {
	return r.Lookup([]byte(productKey), []byte(deviceName))
}

// LookupProduct finds a product by the bytes of its key, without an allocation and without a lock.
func (r *Registry) LookupProduct(key []byte) (*Product, error) {
	if p := r.product(key); p != nil {
		return p.info.Load(), nil
	}
	return nil, ErrNoProduct
}

// Product is LookupProduct for those who have a string.
func (r *Registry) Product(key string) (*Product, error) { return r.LookupProduct([]byte(key)) }

// Products walks over the products in the order in which they were made.
func (r *Registry) Products() iter.Seq[*Product] {
	return func(yield func(*Product) bool) {
		for _, p := range *r.order.Load() {
			if !yield(p.info.Load()) {
				return
			}
		}
	}
}

// Devices walks over the devices of a product in the order in which they were made, from a number on: to go
// on where a page ended, pass the last device's Number()+1. Devices that are made meanwhile come at the end.
func (r *Registry) Devices(productKey string, from uint32) iter.Seq[Device] {
	return func(yield func(Device) bool) {
		p := r.product([]byte(productKey))
		if p == nil {
			return
		}
		for item, found := p.devices.After(from); found; item, found = p.devices.After(item.Number + 1) {
			if !yield(p.device(item)) {
				return
			}
		}
	}
}

// Stats is a snapshot of a registry's size.
type Stats struct {
	Products   int
	Devices    int
	AccessKeys int
	Bytes      int   // memory of the devices
	LogEntries int   // in the log, superseded ones included
	Failure    error // why the log could not be rewritten, if it could not
}

// Stats counts.
func (r *Registry) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	order := *r.order.Load()
	s := Stats{Products: len(order), AccessKeys: len(*r.keys.Load()), LogEntries: r.entries, Failure: r.failure}
	for _, p := range order {
		s.Devices += p.devices.Len()
		s.Bytes += p.devices.Bytes()
	}
	return s
}

// Failed is the error after which nothing can be changed any more until the registry is opened again; nil: there was
// none.
func (r *Registry) Failed() error {
	if r.log == nil {
		return nil
	}
	return r.log.Stats().Failure
}

// DeviceCount is the number of devices of a product.
func (r *Registry) DeviceCount(productKey string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.product([]byte(productKey)); p != nil {
		return p.devices.Len()
	}
	return 0
}

// publish makes a product visible. The caller holds mu.
func (r *Registry) publish(p *product) {
	key := p.info.Load().Key
	at := &r.shards[shard([]byte(key))]
	changed := maps.Clone(*at.Load())
	changed[key] = p
	at.Store(&changed)
	order := append(*r.order.Load(), p)
	r.order.Store(&order)
}

// withdraw makes a product invisible. The caller holds mu.
func (r *Registry) withdraw(p *product) {
	key := p.info.Load().Key
	at := &r.shards[shard([]byte(key))]
	changed := maps.Clone(*at.Load())
	delete(changed, key)
	at.Store(&changed)
	order := slices.DeleteFunc(slices.Clone(*r.order.Load()), func(other *product) bool { return other == p })
	r.order.Store(&order)
}
