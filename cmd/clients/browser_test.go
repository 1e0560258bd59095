package clients

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sampan/cmd/internal/testtls"
)

// visit is what a page does once: it connects, subscribes, publishes to itself, and tells what it has seen.
type visit struct {
	login
	Name  string `json:"name"`
	URL   string `json:"url"`
	Level int    `json:"level"` // 3: MQTT 3.1, 4: 3.1.1
	QoS   int    `json:"qos"`
	Topic string `json:"topic"`
	Bytes int    `json:"bytes"` // of the payload
}

// sight is what a page has seen.
type sight struct {
	Name        string `json:"name"`
	Subprotocol string `json:"subprotocol"`
	Granted     int    `json:"granted"`
	Topic       string `json:"topic"`
	QoS         int    `json:"qos"`
	Payload     string `json:"payload"` // "as published", or what came instead
	Error       string `json:"error"`
}

func browser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// npm's mqtt as browsers get it, in a real browser, over ws:// and wss://.
func TestMQTTInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if browser() == "" {
		need(t, "chromium")
	}
	bundle := filepath.Join(nodeModules(), "mqtt", "dist", "mqtt.min.js")
	if _, err := os.Stat(bundle); err != nil {
		need(t, "npm's mqtt")
	}
	certificate := testtls.NewServer(t)
	s := start(t, "--listen", "ws://127.0.0.1:0/mqtt", "--listen", "wss://127.0.0.1:0/mqtt", "--listen", "auto://127.0.0.1:0",
		"--cert", certificate.CertFile, "--key", certificate.KeyFile)
	auto := strings.TrimPrefix(strings.TrimSuffix(s.url(t, "auto"), "/"), "auto://")
	var visits []visit
	var want []sight
	for _, place := range []struct{ name, url string }{
		{"ws", strings.TrimSuffix(s.url(t, "ws"), "/")}, {"wss", strings.TrimSuffix(s.url(t, "wss"), "/")},
		{"auto as ws", "ws://" + auto + "/"}, {"auto as wss", "wss://" + auto + "/"},
	} {
		for _, level := range []int{3, 4} {
			qos := level - 3
			name := fmt.Sprintf("%s, level %d", place.name, level)
			v := visit{Name: name, URL: place.url, Level: level, QoS: qos, Bytes: 100_000, login: s.device(t, fmt.Sprintf("browser%d", len(visits)))}
			v.Topic = "/broadcast/" + productKey + "/" + v.DeviceName
			visits = append(visits, v)
			want = append(want, sight{Name: name, Subprotocol: map[int]string{3: "mqttv3.1", 4: "mqtt"}[level], Granted: qos,
				Topic: v.Topic, QoS: qos, Payload: "as published"})
		}
	}
	// Who is refused is told so, as MQTT does it.
	stranger := visits[0]
	stranger.Name, stranger.Password = "stranger", strings.Repeat("0", len(stranger.Password))
	visits = append(visits, stranger)
	want = append(want, sight{Name: "stranger", Subprotocol: "mqttv3.1", Error: "Connection refused: Bad username or password"})

	seen := make(chan []byte, 1)
	pages := http.NewServeMux()
	pages.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "browser/page.html") })
	pages.HandleFunc("GET /page.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "browser/page.js") })
	pages.HandleFunc("GET /mqtt.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, bundle) })
	pages.HandleFunc("GET /visits", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(visits) })
	pages.HandleFunc("POST /seen", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		select {
		case seen <- body:
		default:
		}
	})
	site := httptest.NewServer(pages)
	defer site.Close()

	log := openPage(t, site.URL+"/", certificate)
	select {
	case body := <-seen:
		var got []sight
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	case <-time.After(3 * patience): // a browser on a busy machine
		t.Fatalf("the page did not come to an end\n%s", log.end())
	}
}

// openPage opens a page in a browser of its own that ends with the test. It knows one certificate more than
// browsers do, by its key, and checks everything else.
func openPage(t *testing.T, url string, certificate *testtls.Server) *lines {
	t.Helper()
	key := sha256.Sum256(certificate.Certificate.Leaf.RawSubjectPublicKeyInfo)
	log := newLines()
	profile, err := os.MkdirTemp("", "sampan-browser")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
		"--user-data-dir="+profile, "--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(key[:]), "--remote-debugging-port=0", url)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "HOME="+profile)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts processes of its own
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		command.Wait()
		os.RemoveAll(profile)
	})
	return log
}
