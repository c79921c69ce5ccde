package netns

import (
	"fmt"
	"syscall"
)

// Errno is an error of a socket call. It is the name of a POSIX error number, and it means the same for each stack.
// Test for one with errors.Is.
type Errno string

// The errors that a Stack answers.
const (
	ErrWouldBlock       Errno = "EAGAIN"
	ErrInProgress       Errno = "EINPROGRESS"
	ErrRefused          Errno = "ECONNREFUSED"
	ErrReset            Errno = "ECONNRESET"
	ErrAborted          Errno = "ECONNABORTED"
	ErrTimeout          Errno = "ETIMEDOUT"
	ErrHostUnreachable  Errno = "EHOSTUNREACH"
	ErrNetUnreachable   Errno = "ENETUNREACH"
	ErrNotConnected     Errno = "ENOTCONN"
	ErrConnected        Errno = "EISCONN"
	ErrAlready          Errno = "EALREADY"
	ErrPipe             Errno = "EPIPE"
	ErrAddressInUse     Errno = "EADDRINUSE"
	ErrAddressNotOurs   Errno = "EADDRNOTAVAIL"
	ErrBadDescriptor    Errno = "EBADF"
	ErrInvalid          Errno = "EINVAL"
	ErrNoBuffer         Errno = "ENOBUFS"
	ErrMessageTooLong   Errno = "EMSGSIZE"
	ErrNoProtocolOption Errno = "ENOPROTOOPT"
	ErrAddressFamily    Errno = "EAFNOSUPPORT"
	ErrUnsupported      Errno = "EOPNOTSUPP" // this stack does not do that
	ErrOther            Errno = "EIO"        // a stack's error that has no name here
)

var errnoTexts = map[Errno]string{
	ErrWouldBlock: "Resource temporarily unavailable", ErrInProgress: "Operation now in progress", ErrRefused: "Connection refused",
	ErrReset: "Connection reset by peer", ErrAborted: "Software caused connection abort", ErrTimeout: "Connection timed out",
	ErrHostUnreachable: "No route to host", ErrNetUnreachable: "Network is unreachable", ErrNotConnected: "Transport endpoint is not connected",
	ErrConnected: "Transport endpoint is already connected", ErrAlready: "Operation already in progress", ErrPipe: "Broken pipe",
	ErrAddressInUse: "Address already in use", ErrAddressNotOurs: "Cannot assign requested address", ErrBadDescriptor: "Bad file descriptor",
	ErrInvalid: "Invalid argument", ErrNoBuffer: "No buffer space available", ErrMessageTooLong: "Message too long",
	ErrNoProtocolOption: "Protocol not available", ErrAddressFamily: "Address family not supported by protocol",
	ErrUnsupported: "Operation not supported", ErrOther: "Input/output error",
}

// Error is the text that goes with the name: "Connection refused".
func (e Errno) Error() string {
	if t, ok := errnoTexts[e]; ok {
		return t
	}
	return string(e)
}

// Timeout reports whether a time was up, as net.Error asks.
func (e Errno) Timeout() bool { return e == ErrTimeout || e == ErrWouldBlock }

// Is makes errors.Is find the number of package syscall that has this name, as code does that was written for package net.
func (e Errno) Is(target error) bool {
	n, ok := target.(syscall.Errno)
	return ok && n == errnoNumbers[e] && n != 0
}

var errnoNumbers = map[Errno]syscall.Errno{
	ErrWouldBlock: syscall.EAGAIN, ErrInProgress: syscall.EINPROGRESS, ErrRefused: syscall.ECONNREFUSED, ErrReset: syscall.ECONNRESET,
	ErrAborted: syscall.ECONNABORTED, ErrTimeout: syscall.ETIMEDOUT, ErrHostUnreachable: syscall.EHOSTUNREACH,
	ErrNetUnreachable: syscall.ENETUNREACH, ErrNotConnected: syscall.ENOTCONN, ErrConnected: syscall.EISCONN, ErrAlready: syscall.EALREADY,
	ErrPipe: syscall.EPIPE, ErrAddressInUse: syscall.EADDRINUSE, ErrAddressNotOurs: syscall.EADDRNOTAVAIL, ErrBadDescriptor: syscall.EBADF,
	ErrInvalid: syscall.EINVAL, ErrNoBuffer: syscall.ENOBUFS, ErrMessageTooLong: syscall.EMSGSIZE, ErrNoProtocolOption: syscall.ENOPROTOOPT,
	ErrAddressFamily: syscall.EAFNOSUPPORT, ErrUnsupported: syscall.EOPNOTSUPP, ErrOther: syscall.EIO,
}

// Known reports whether e is one of the errors above.
func (e Errno) Known() bool { _, ok := errnoTexts[e]; return ok }

// An OpError is an operation of the sandbox that failed.
type OpError struct {
	Op   string // "configure", "start the stack", "run", "write the record"; of a stack that breaks its contract the call, as "send", "Take" or "Expire"
	Host string // empty: the sandbox as a whole
	Err  error
}

// Error names host and operation before the cause.
func (e *OpError) Error() string {
	if e.Host == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Host, e.Op, e.Err)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }
