package netns_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"connectlab/netns"
)

func TestErrno(t *testing.T) {
	if got := netns.ErrRefused.Error(); got != "Connection refused" {
		t.Errorf("ECONNREFUSED says %q", got)
	}
	odd := netns.Errno("EODD")
	if odd.Error() != "EODD" || odd.Known() || !netns.ErrPipe.Known() {
		t.Errorf("an errno without a text says %q, known %v; EPIPE is known %v", odd.Error(), odd.Known(), netns.ErrPipe.Known())
	}
}

func TestOpError(t *testing.T) {
	err := error(&netns.OpError{Op: "connect", Host: netns.Client, Err: netns.ErrRefused})
	if got := err.Error(); got != "client: connect: Connection refused" || !errors.Is(err, netns.ErrRefused) {
		t.Errorf("says %q, is ECONNREFUSED: %v", got, errors.Is(err, netns.ErrRefused))
	}
	if got := (&netns.OpError{Op: "run", Err: netns.ErrTimeout}).Error(); got != "run: Connection timed out" {
		t.Errorf("without a host it says %q", got)
	}
}

// TestUnsupported: what a stack's socket embeds answers EOPNOTSUPP to each call that can fail.
func TestUnsupported(t *testing.T) {
	var s netns.Unsupported
	for call, err := range map[string]error{
		"bind": s.Bind(serverPort), "listen": s.Listen(1), "accept": second(s.Accept()), "connect": s.Connect(serverPort),
		"send": second(s.Send(nil)), "recv": second(s.Receive(nil)), "shutdown": s.Shutdown(netns.ShutBoth), "close": s.Close(),
		"abort": s.Abort(), "getsockopt": second(s.Option(netns.TTL)), "setsockopt": s.SetOption(netns.TTL, 1),
		"getsockopt(SO_ERROR)": s.PendingError(),
	} {
		if !errors.Is(err, netns.ErrUnsupported) {
			t.Errorf("%s: %v, want EOPNOTSUPP", call, err)
		}
	}
	if s.LocalAddr() != (netip.AddrPort{}) || s.RemoteAddr() != (netip.AddrPort{}) {
		t.Error("an unsupported socket has a name")
	}
}

func second[T any](_ T, err error) error { return err }

// TestErrnoIsThatOfSyscall: unchanged code asks for errors as package net has them.
func TestErrnoIsThatOfSyscall(t *testing.T) {
	err := error(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", netns.ErrRefused)})
	if !errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(netns.Errno("ENOSUCH"), syscall.Errno(0)) {
		t.Errorf("%v is not, or is not only, %v", err, syscall.ECONNREFUSED)
	}
}
