package netns_test

import (
	"net"
	"testing"
	"time"

	"connectlab/netns"

	"golang.org/x/net/nettest"
)

// wallClock is the real one.
var wallClock = &netns.Wall{Now: time.Now, After: time.After}

// inRealTime runs a sandbox in real time, in a goroutine of its own, until the function that it returns is called.
func inRealTime(t testing.TB, cfg netns.Config) (sb *netns.Sandbox, stop func()) {
	t.Helper()
	cfg.Wall, cfg.RealTime = wallClock, true
	sb, err := netns.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	up, over := make(chan bool), make(chan error, 1)
	sb.Host(netns.Client).Go(func() { <-up })
	go func() {
		_, err := sb.Run()
		over <- err
	}()
	return sb, func() {
		close(up)
		sb.Stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

// TestNettest: in real time a Conn is a net.Conn in all that golang.org/x/net/nettest asks of one.
func TestNettest(t *testing.T) {
	leaks(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		cfg := onGVisor(1)
		cfg.Delay = 100 * time.Microsecond
		cfg.OmitData, cfg.Record = true, netns.RecordNoControl
		sb, end := inRealTime(t, cfg)
		l, err := sb.Host(netns.Server).Listen("tcp", "server:80")
		if err != nil {
			return nil, nil, nil, err
		}
		accepted := make(chan error)
		go func() {
			c2, err = l.Accept()
			accepted <- err
		}()
		c1, err1 := sb.Host(netns.Client).Dial("tcp", "server:80")
		if err := <-accepted; err != nil || err1 != nil {
			return nil, nil, nil, net.ErrClosed
		}
		return c1, c2, func() {
			_ = c1.Close()
			_ = c2.Close()
			_ = l.Close()
			end()
		}, nil
	})
}
