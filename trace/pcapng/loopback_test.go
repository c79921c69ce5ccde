package pcapng_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/book"
)

// role in the environment makes the test binary be one of the programs below.
const role = "CONNECTLAB_PCAPNG_TEST_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "capture":
		err = captureLoopback(os.Args[1:])
	case "server":
		err = serve()
	case "client":
		err = talkTo()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	loopbackServer = "127.0.0.1:8080"
	loopbackMarker = "127.0.0.1:9999"
	lastDatagram   = "nothing comes behind this datagram"
)

// loopbackRequest is what the client sends: more than one segment has room for.
func loopbackRequest() []byte {
	return bytes.Repeat([]byte("a request of an ordinary program\n"), 6000)
}

const loopbackAnswer = "an ordinary answer\n"

// serve is a program that takes one connection, reads to the end of data, and answers.
func serve() error {
	l, err := net.Listen("tcp", loopbackServer)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if n, err := io.Copy(io.Discard, c); err != nil || n != int64(len(loopbackRequest())) {
		return fmt.Errorf("the server read %d octets: %w", n, err)
	}
	_, err = io.WriteString(c, loopbackAnswer)
	return err
}

// talkTo is a program that connects, sends, ends its data, and reads the answer.
func talkTo() error {
	c, err := net.Dial("tcp", loopbackServer)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(loopbackRequest()); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err == nil && string(answer) != loopbackAnswer {
		err = fmt.Errorf("the client read %q", answer)
	}
	return err
}

// self is a program of its own made of this one.
func self(as string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), role+"="+as)
	c.Stderr = os.Stderr
	return c
}

// captureLoopback has tcpdump, with these flags, watch the two programs, and writes the capture to stdout. It ends with a
// datagram that the capture has behind all the rest, so that nobody has to guess when it is whole.
func captureLoopback(flags []string) error {
	// Should the last datagram be lost, tcpdump is ended, and the capture with it. Its buffer has room for all there is.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dump := exec.CommandContext(ctx, "tcpdump", append(flags, "-n", "-U", "--immediate-mode", "-B", "65536", "-w", "-")...)
	out, err := dump.StdoutPipe()
	if err != nil {
		return err
	}
	said, err := dump.StderrPipe()
	if err != nil {
		return err
	}
	if err := dump.Start(); err != nil {
		return err
	}
	defer func() {
		dump.Process.Kill()
		dump.Wait()
	}()
	for lines := bufio.NewScanner(said); ; {
		if !lines.Scan() {
			return errors.New("tcpdump does not listen")
		}
		if strings.Contains(lines.Text(), "listening on") {
			break
		}
	}
	server := self("server")
	ready, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
		return err
	}
	if err := self("client").Run(); err != nil {
		return err
	}
	if err := server.Wait(); err != nil {
		return err
	}
	marker, err := net.Dial("udp", loopbackMarker)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(marker, lastDatagram); err != nil {
		return err
	}
	var capture []byte
	for b := make([]byte, 64<<10); !bytes.Contains(capture, []byte(lastDatagram)); {
		n, err := out.Read(b)
		if err != nil {
			return err
		}
		capture = append(capture, b[:n]...)
	}
	_, err = os.Stdout.Write(capture)
	return err
}

// verdictsOfOrdinaryPrograms are those that an ordinary connect on Linux leaves no doubt about. Timestamps stand on every segment
// (B16), the server answers behind the client's FIN (B12), and the answer to the SYN is SYN,ACK (C8); nothing else that a capture
// shows contradicts the book.
var verdictsOfOrdinaryPrograms = map[string]book.Verdict{
	"A1": book.NotObservable, "A7": book.Holds, "B1": book.Refined, "B2": book.Holds, "B4": book.Refined, "B5": book.Refined, "B6": book.Holds,
	"B7": book.NotExercised, "B11": book.Holds, "B12": book.Refined, "B16": book.Contradicted, "B20": book.NotObservable,
	"C1": book.NotObservable, "C4": book.Holds, "C5": book.NotObservable, "C8": book.Contradicted, "C11": book.Holds,
}

// judge holds what a capture's connection says of the book's statements against the verdicts above.
func judge(t *testing.T, tr *trace.Trace) {
	t.Helper()
	for _, f := range book.Judge(tr) {
		id := f.Statement.ID
		if want, ok := verdictsOfOrdinaryPrograms[id]; ok && f.Verdict != want {
			t.Errorf("%s is %v, want %v: %v", id, f.Verdict, want, f.Observed)
		} else if !ok && f.Verdict == book.Contradicted {
			t.Errorf("%s is contradicted: %v", id, f.Observed)
		}
	}
}

// Two ordinary programs on loopback, captured by tcpdump in a network namespace of their own: one connection from the SYN to
// the last ACK, with all octets, and sensible verdicts on the book's statements.
func TestReadWhatTcpdumpCaptured(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "capturing needs root")
	}
	for _, tool := range []string{"tcpdump", "unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "a tool is missing: %v", err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-n", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		missing(t, "no network namespace can be made here: %v: %s", err, out)
	}
	for _, tt := range []struct {
		name  string
		flags []string
		whole bool // not cut by a snap length
	}{
		{"lo", []string{"-i", "lo"}, true},
		{"any, Linux cooked 2", []string{"-i", "any", "-y", "LINUX_SLL2"}, true},
		{"any, Linux cooked", []string{"-i", "any", "-y", "LINUX_SLL", "--nano"}, true},
		{"headers", []string{"-i", "lo", "-s", "96"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "unshare", append([]string{"-n", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, os.Args[0]}, tt.flags...)...)
			c.Env = append(os.Environ(), role+"=capture")
			var stderr bytes.Buffer
			c.Stderr = &stderr
			file, err := c.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.Bytes())
			}
			all, sum := mustRead(t, tt.name, file)
			if len(all) != 1 || sum.Other == 0 || sum.Unreadable != 0 || sum.TCP+sum.Other != sum.Frames {
				t.Fatalf("%d connections, %+v; want one, and the datagram", len(all), sum)
			}
			conn := all[0]
			t.Logf("%+v, %d events, uncomputed checksums %v", sum, len(conn.Events), conn.uncomputed)
			if client, server := path(conn.Trace, "client"), path(conn.Trace, "server"); client != clientPath || server != serverPath {
				t.Errorf("the client goes %s, the server %s", client, server)
			}
			if conn.Header.Data != tt.whole || conn.End.Reason != trace.Finished {
				t.Errorf("header %+v, end %+v", conn.Header, conn.End)
			}
			judge(t, conn.Trace)
			sent := map[string][]byte{}
			lengths := map[string]int{}
			next := map[string]trace.Seq{}
			for i := range conn.Events {
				s, ok := conn.Events[i].Detail.(*trace.Sent)
				if !ok {
					continue
				}
				host, seg := conn.Events[i].Host, &s.Packet.TCP
				if seg.Flags.Has(trace.SYN) {
					next[host] = seg.Seq.Add(1)
				}
				if seg.DataLen > 0 && seg.Seq == next[host] {
					next[host] = seg.Seq.Add(uint32(seg.DataLen))
					sent[host] = append(sent[host], s.Packet.Data()...)
					lengths[host] += seg.DataLen
				}
			}
			if request := loopbackRequest(); lengths["client"] != len(request) || tt.whole && !bytes.Equal(sent["client"], request) {
				t.Errorf("the client sent %d octets, want the request, %d", lengths["client"], len(request))
			}
			if lengths["server"] != len(loopbackAnswer) || tt.whole && string(sent["server"]) != loopbackAnswer {
				t.Errorf("the server sent %q, want the answer", sent["server"])
			}
		})
	}
}
