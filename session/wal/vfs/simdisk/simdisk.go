// Package simdisk is a disk in memory for tests: it loses what was not synced when the power is cut, tears
// the last writes at the borders of sectors, and fails when it is told to.
package simdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"sampan/session/wal/vfs"
)

// SectorBytes is what a disk writes as a whole or not at all.
const SectorBytes = 512

// Op is an operation that can be made to fail.
type Op string

// The operations of a disk that change something.
const (
	Create  Op = "create"
	Write   Op = "write"
	Sync    Op = "sync"
	Rename  Op = "rename"
	Remove  Op = "remove"
	SyncDir Op = "syncdir"
)

// ErrPower is what the handles of a process get that lives on after its disk lost power, or after it was
// killed.
var ErrPower = errors.New("simdisk: the power is off")

// Disk is one directory on a simulated disk. Its methods may be called concurrently.
type Disk struct {
	mu     sync.Mutex // guards all below
	life   int        // counts power cuts and kills
	locked bool
	names  map[string]*inode // as processes see them
	synced map[string]*inode // as they survive
	moves  []func(map[string]*inode)
	fault  func(op Op, name string) error
	ops    int
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, synced: map[string]*inode{}}
}

// inode is a file's contents.
type inode struct {
	name  string             // as it was given last
	data  []byte             // as processes see them
	disk  []byte             // as they survive
	dirty map[int64][][]byte // sector: what it was written to since the last sync
}

// Fault makes every later operation first ask f whether to fail; nil: none fails. f must not use the disk.
func (d *Disk) Fault(f func(op Op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Ops returns how many operations there were that change something.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Kill ends the process: its handles stop working and its lock is gone, but all it wrote is there.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	d.locked = false
}

// PowerCut is Kill, and takes what was not synced: of the sectors written since, each keeps at random any
// of the contents that it had, and of the changes of names a random number of the last is lost.
func (d *Disk) PowerCut(r *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	d.locked = false
	for _, move := range d.moves[:r.IntN(len(d.moves)+1)] {
		move(d.synced)
	}
	d.moves = nil
	d.names = maps.Clone(d.synced)
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		d.names[name].cut(r)
	}
}

// cut leaves what survives of a file.
func (n *inode) cut(r *rand.Rand) {
	for _, sector := range slices.Sorted(maps.Keys(n.dirty)) {
		versions := n.dirty[sector]
		which := r.IntN(len(versions) + 1)
		if which == len(versions) {
			continue // as it was
		}
		v := versions[which]
		if end := int(sector)*SectorBytes + len(v); end > len(n.disk) {
			n.disk = append(n.disk, make([]byte, end-len(n.disk))...)
		}
		copy(n.disk[sector*SectorBytes:], v)
	}
	n.dirty = nil
	n.data = slices.Clone(n.disk)
}

// Files returns the names of the files and their contents, which are copies.
func (d *Disk) Files() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := map[string][]byte{}
	for name, n := range d.names {
		files[name] = slices.Clone(n.data)
	}
	return files
}

// Put makes a file with durable contents, or replaces it.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{name: name, data: slices.Clone(data), disk: slices.Clone(data)}
	d.names[name], d.synced[name] = n, n
}

// Delete removes a file for good.
func (d *Disk) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, name)
	delete(d.synced, name)
}

// FS returns the disk as a process sees it that starts now.
func (d *Disk) FS() vfs.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &process{d, d.life}
}

// process is a process's view of the disk.
type process struct {
	d    *Disk
	life int
}

// begin locks the disk for an operation, unless that is to fail. The caller unlocks it.
func (p *process) begin(op Op, name string) error {
	p.d.mu.Lock()
	return p.ask(op, name)
}

func (p *process) ask(op Op, name string) error {
	if p.life != p.d.life {
		return ErrPower
	}
	if op == "" {
		return nil
	}
	p.d.ops++
	if p.d.fault != nil {
		return p.d.fault(op, name)
	}
	return nil
}

// change makes a change of names, which survives once the directory is synced.
func (p *process) change(move func(map[string]*inode)) {
	move(p.d.names)
	p.d.moves = append(p.d.moves, move)
}

func (p *process) Path(name string) string { return "/sim/" + name }

func (p *process) List() ([]string, error) {
	err := p.begin("", "")
	defer p.d.mu.Unlock()
	return slices.Collect(maps.Keys(p.d.names)), err
}

func (p *process) Open(name string, create bool) (vfs.File, error) {
	op := Op("")
	if create {
		op = Create
	}
	err := p.begin(op, name)
	defer p.d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	n := p.d.names[name]
	if n == nil {
		if !create {
			return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
		}
		n = &inode{name: name}
		p.change(func(names map[string]*inode) { names[name] = n })
	}
	return &file{p, n}, nil
}

func (p *process) OpenRead(name string) (vfs.File, error) { return p.Open(name, false) }

func (p *process) Rename(from, to string) error {
	err := p.begin(Rename, from)
	defer p.d.mu.Unlock()
	if err != nil {
		return err
	}
	n := p.d.names[from]
	if n == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	n.name = to
	p.change(func(names map[string]*inode) {
		delete(names, from)
		names[to] = n
	})
	return nil
}

func (p *process) Remove(name string) error {
	err := p.begin(Remove, name)
	defer p.d.mu.Unlock()
	if err != nil {
		return err
	}
	if p.d.names[name] == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	p.change(func(names map[string]*inode) { delete(names, name) })
	return nil
}

func (p *process) SyncDir() error {
	err := p.begin(SyncDir, "")
	defer p.d.mu.Unlock()
	if err != nil {
		return err
	}
	p.d.synced = maps.Clone(p.d.names)
	p.d.moves = nil
	return nil
}

type unlocker struct{ p *process }

func (u unlocker) Close() error {
	u.p.d.mu.Lock()
	defer u.p.d.mu.Unlock()
	if u.p.life == u.p.d.life {
		u.p.d.locked = false
	}
	return nil
}

func (p *process) Lock() (io.Closer, error) {
	err := p.begin("", "")
	defer p.d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if p.d.locked {
		return nil, vfs.ErrLocked
	}
	p.d.locked = true
	return unlocker{p}, nil
}

// file is an open file of a process.
type file struct {
	p *process
	n *inode
}

func (f *file) begin(op Op) error {
	f.p.d.mu.Lock()
	return f.p.ask(op, f.n.name)
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	err := f.begin("")
	defer f.p.d.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	err := f.begin(Write)
	defer f.p.d.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n := f.n
	end := off + int64(len(b))
	if grow := end - int64(len(n.data)); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	}
	copy(n.data[off:], b)
	if n.dirty == nil {
		n.dirty = map[int64][][]byte{}
	}
	for s := off / SectorBytes; s*SectorBytes < end; s++ {
		v := n.data[s*SectorBytes : min((s+1)*SectorBytes, int64(len(n.data)))]
		n.dirty[s] = append(n.dirty[s], slices.Clone(v))
	}
	return len(b), nil
}

// Sync that fails leaves the contents as they are seen, and forgets that they are not on the disk, as
// operating systems do.
func (f *file) Sync() error {
	err := f.begin(Sync)
	defer f.p.d.mu.Unlock()
	if errors.Is(err, ErrPower) {
		return err
	}
	n := f.n
	if err == nil {
		if grow := len(n.data) - len(n.disk); grow > 0 {
			n.disk = append(n.disk, make([]byte, grow)...)
		}
		n.disk = n.disk[:len(n.data)]
		for s := range n.dirty {
			copy(n.disk[s*SectorBytes:min((s+1)*SectorBytes, int64(len(n.disk)))], n.data[s*SectorBytes:])
		}
	}
	n.dirty = nil
	return err
}

func (f *file) Size() (int64, error) {
	err := f.begin("")
	defer f.p.d.mu.Unlock()
	return int64(len(f.n.data)), err
}

func (f *file) Close() error { return nil }
