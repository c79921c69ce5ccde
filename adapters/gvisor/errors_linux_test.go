package gvisor

import (
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"connectlab/netns"

	"gvisor.dev/gvisor/pkg/syserr"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// everyError is one error of each type that tcpip has.
var everyError = map[string]tcpip.Error{
	"ErrAborted": &tcpip.ErrAborted{}, "ErrAddressFamilyNotSupported": &tcpip.ErrAddressFamilyNotSupported{}, "ErrAlreadyBound": &tcpip.ErrAlreadyBound{},
	"ErrAlreadyConnected": &tcpip.ErrAlreadyConnected{}, "ErrAlreadyConnecting": &tcpip.ErrAlreadyConnecting{}, "ErrBadAddress": &tcpip.ErrBadAddress{},
	"ErrBadBuffer": &tcpip.ErrBadBuffer{}, "ErrBadLocalAddress": &tcpip.ErrBadLocalAddress{}, "ErrBroadcastDisabled": &tcpip.ErrBroadcastDisabled{},
	"ErrClosedForReceive": &tcpip.ErrClosedForReceive{}, "ErrClosedForSend": &tcpip.ErrClosedForSend{}, "ErrConnectStarted": &tcpip.ErrConnectStarted{},
	"ErrConnectionAborted": &tcpip.ErrConnectionAborted{}, "ErrConnectionRefused": &tcpip.ErrConnectionRefused{}, "ErrConnectionReset": &tcpip.ErrConnectionReset{},
	"ErrDestinationRequired": &tcpip.ErrDestinationRequired{}, "ErrDuplicateAddress": &tcpip.ErrDuplicateAddress{}, "ErrDuplicateNICID": &tcpip.ErrDuplicateNICID{},
	"ErrInvalidNICID": &tcpip.ErrInvalidNICID{}, "ErrInvalidEndpointState": &tcpip.ErrInvalidEndpointState{}, "ErrInvalidOptionValue": &tcpip.ErrInvalidOptionValue{},
	"ErrInvalidPortRange": &tcpip.ErrInvalidPortRange{}, "ErrMalformedHeader": &tcpip.ErrMalformedHeader{}, "ErrMessageTooLong": &tcpip.ErrMessageTooLong{},
	"ErrNetworkUnreachable": &tcpip.ErrNetworkUnreachable{}, "ErrNoBufferSpace": &tcpip.ErrNoBufferSpace{}, "ErrNoPortAvailable": &tcpip.ErrNoPortAvailable{},
	"ErrHostUnreachable": &tcpip.ErrHostUnreachable{}, "ErrHostDown": &tcpip.ErrHostDown{}, "ErrNoNet": &tcpip.ErrNoNet{}, "ErrNoSuchFile": &tcpip.ErrNoSuchFile{},
	"ErrNotConnected": &tcpip.ErrNotConnected{}, "ErrNotPermitted": &tcpip.ErrNotPermitted{}, "ErrNotSupported": &tcpip.ErrNotSupported{}, "ErrPortInUse": &tcpip.ErrPortInUse{},
	"ErrQueueSizeNotSupported": &tcpip.ErrQueueSizeNotSupported{}, "ErrTimeout": &tcpip.ErrTimeout{}, "ErrUnknownDevice": &tcpip.ErrUnknownDevice{},
	"ErrUnknownNICID": &tcpip.ErrUnknownNICID{}, "ErrUnknownProtocol": &tcpip.ErrUnknownProtocol{}, "ErrUnknownProtocolOption": &tcpip.ErrUnknownProtocolOption{},
	"ErrWouldBlock": &tcpip.ErrWouldBlock{}, "ErrMissingRequiredFields": &tcpip.ErrMissingRequiredFields{}, "ErrEndpointBusy": &tcpip.ErrEndpointBusy{},
	"ErrMulticastInputCannotBeOutput": &tcpip.ErrMulticastInputCannotBeOutput{},
}

// The list above has every error that gVisor's source has.
func TestEveryErrorIsListed(t *testing.T) {
	pkg, err := build.Import("gvisor.dev/gvisor/pkg/tcpip", ".", build.FindOnly)
	if err != nil {
		t.Skipf("gVisor's source was not found: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, "errors.go"), nil, 0)
	if err != nil {
		t.Skipf("gVisor's source was not found: %v", err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.TypeSpec); ok && strings.HasPrefix(spec.Name.Name, "Err") && spec.Name.Name != "Error" {
			n++
			if everyError[spec.Name.Name] == nil {
				t.Errorf("tcpip.%s is not listed", spec.Name.Name)
			}
		}
		return true
	})
	if n != len(everyError) {
		t.Errorf("%d errors in the source, %d in the list", n, len(everyError))
	}
}

// Each error has the name that gVisor's own system calls give it, where netns has that name.
func TestErrorsAreNamedAsBySystemCalls(t *testing.T) {
	names := map[syscall.Errno]netns.Errno{
		syscall.EAGAIN: netns.ErrWouldBlock, syscall.EINPROGRESS: netns.ErrInProgress, syscall.ECONNREFUSED: netns.ErrRefused,
		syscall.ECONNRESET: netns.ErrReset, syscall.ECONNABORTED: netns.ErrAborted, syscall.ETIMEDOUT: netns.ErrTimeout,
		syscall.EHOSTUNREACH: netns.ErrHostUnreachable, syscall.ENETUNREACH: netns.ErrNetUnreachable, syscall.ENOTCONN: netns.ErrNotConnected,
		syscall.EISCONN: netns.ErrConnected, syscall.EALREADY: netns.ErrAlready, syscall.EPIPE: netns.ErrPipe, syscall.EADDRINUSE: netns.ErrAddressInUse,
		syscall.EADDRNOTAVAIL: netns.ErrAddressNotOurs, syscall.EINVAL: netns.ErrInvalid, syscall.ENOBUFS: netns.ErrNoBuffer,
		syscall.EMSGSIZE: netns.ErrMessageTooLong, syscall.ENOPROTOOPT: netns.ErrNoProtocolOption, syscall.EAFNOSUPPORT: netns.ErrAddressFamily,
		syscall.EOPNOTSUPP: netns.ErrUnsupported,
	}
	// Those whose error number netns has no name for, or that the call gives another one.
	others := map[string]netns.Errno{
		"ErrHostDown": netns.ErrHostUnreachable, "ErrNoNet": netns.ErrHostUnreachable, "ErrNoPortAvailable": netns.ErrAddressNotOurs,
		"ErrDuplicateAddress": netns.ErrAddressInUse, "ErrQueueSizeNotSupported": netns.ErrUnsupported,
	}
	for name, err := range everyError {
		want, ok := others[name]
		if !ok && name != "ErrInvalidNICID" { // gVisor's own translation panics on it
			want = names[syscall.Errno(syserr.TranslateNetstackError(err).ToLinux())]
		}
		if want == "" {
			want = netns.ErrOther
		}
		if got := errno(err); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		if err := asError(err); !errors.Is(err, want) {
			t.Errorf("%s as an error is %v, want %v", name, err, want)
		}
	}
	if err := asError(nil); err != nil {
		t.Errorf("no error is %v", err)
	}
}
