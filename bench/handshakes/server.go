package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"sampan/bench/proc"
	"sampan/tlsconf/psk"
)

// patience is how long anything may take.
const patience = 20 * time.Second

// server is a program that can be measured.
type server struct {
	name  string
	start func(ctx context.Context, k kind) (*process, error) // errCannot: it cannot do this kind
}

// process is a server that runs.
type process struct {
	child *proc.Child
	group *proc.Group
	addr  string
	said  proc.Tail
}

// launch starts a program that will listen at addr.
func launch(addr string, name string, args ...string) (*process, error) {
	p := &process{addr: addr}
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = &p.said, &p.said
	var err error
	if p.child, err = proc.Launch(command, nil); err != nil {
		return nil, err
	}
	p.group = proc.Alone(command.Process.Pid)
	return p, nil
}

// ready waits until a handshake succeeds.
func (p *process) ready(ctx context.Context, one shake) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := one(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.child.Ended():
			return fmt.Errorf("the server has ended: %v\n%s", p.child.State(), &p.said)
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", err, &p.said)
		}
	}
}

func (p *process) stop() { p.child.End(syscall.SIGKILL, patience) }

// cpu is the processor time that the process has taken.
func (p *process) cpu() (time.Duration, error) {
	defer p.group.Close()
	used, err := p.group.Read()
	return used.CPU, err
}

// freeAddr is an address that nobody listens at.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *site) sampanServer() server {
	return server{"Sampan", func(ctx context.Context, k kind) (*process, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		args := []string{"serve", "--data", s.path("data"), "--durability", "memory", "--api", "off", "--log-level", "error"}
		if k.key == "" {
			args = append(args, "--listen", "psk://"+addr)
		} else {
			args = append(args, "--listen", "mqtts://"+addr, "--tls-policy", k.policy, "--cert", s.path(k.key+".pem"), "--key", s.path(k.key+".key"))
		}
		return launch(addr, s.sampan, args...)
	}}
}

func (s *site) stunnelServer() server {
	return server{"stunnel", func(ctx context.Context, k kind) (*process, error) {
		program, err := exec.LookPath("stunnel")
		if err != nil || k.policy == "legacy" || k.hybrid || k.suite == psk.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 { // Debian's OpenSSL has none of these
			return nil, errCannot
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		versions := map[uint16]string{0x0301: "TLSv1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
		config := "foreground = yes\nsyslog = no\ndebug = err\npid =\n[tls]\naccept = " + addr + "\nconnect = " + s.backend.Addr().String() +
			"\nsslVersion = " + versions[k.version] + "\nciphers = ALL:PSK:@SECLEVEL=0\n"
		if k.key == "" {
			config += "PSKsecrets = " + s.path("stunnel.psk") + "\n"
		} else {
			config += "cert = " + s.path(k.key+".pem") + "\nkey = " + s.path(k.key+".key") + "\n"
		}
		if err := os.WriteFile(s.path("stunnel.conf"), []byte(config), 0o600); err != nil {
			return nil, err
		}
		return launch(addr, program, s.path("stunnel.conf"))
	}}
}

func (s *site) nginxServer() server {
	return server{"nginx", func(ctx context.Context, k kind) (*process, error) {
		program, err := exec.LookPath("nginx")
		if err != nil || k.key == "" || k.policy == "legacy" || k.hybrid { // it has no pre-shared keys, and OpenSSL none of the others
			return nil, errCannot
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		versions := map[uint16]string{0x0301: "TLSv1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
		config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
server { listen %[3]s ssl; ssl_certificate %[4]s; ssl_certificate_key %[5]s; ssl_protocols %[6]s; ssl_ciphers ALL:@SECLEVEL=0; ssl_session_cache shared:s:10m; } }
`, s.path("nginx.pid"), s.path("nginx.tmp"), addr, s.path(k.key+".pem"), s.path(k.key+".key"), versions[k.version])
		if err := os.WriteFile(s.path("nginx.conf"), []byte(config), 0o600); err != nil {
			return nil, err
		}
		return launch(addr, program, "-c", filepath.Clean(s.path("nginx.conf")), "-e", "stderr")
	}}
}
