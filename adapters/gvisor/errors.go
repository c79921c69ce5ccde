package gvisor

import (
	"connectlab/netns"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// errno names a stack's error as gVisor's own system calls do (pkg/syserr). Error numbers that netns has no name for
// become the nearest that it has.
func errno(err tcpip.Error) netns.Errno {
	switch err.(type) {
	case *tcpip.ErrWouldBlock:
		return netns.ErrWouldBlock
	case *tcpip.ErrConnectStarted:
		return netns.ErrInProgress
	case *tcpip.ErrAlreadyConnecting:
		return netns.ErrAlready
	case *tcpip.ErrAlreadyConnected:
		return netns.ErrConnected
	case *tcpip.ErrNotConnected:
		return netns.ErrNotConnected
	case *tcpip.ErrConnectionRefused:
		return netns.ErrRefused
	case *tcpip.ErrConnectionReset:
		return netns.ErrReset
	case *tcpip.ErrConnectionAborted:
		return netns.ErrAborted
	case *tcpip.ErrTimeout:
		return netns.ErrTimeout
	case *tcpip.ErrHostUnreachable, *tcpip.ErrHostDown, *tcpip.ErrNoNet:
		return netns.ErrHostUnreachable
	case *tcpip.ErrNetworkUnreachable:
		return netns.ErrNetUnreachable
	case *tcpip.ErrClosedForSend, *tcpip.ErrAborted:
		return netns.ErrPipe
	case *tcpip.ErrPortInUse, *tcpip.ErrDuplicateAddress:
		return netns.ErrAddressInUse
	case *tcpip.ErrBadLocalAddress, *tcpip.ErrNoPortAvailable:
		// No free port is EADDRNOTAVAIL from a TCP connect(), as gVisor's connect has it.
		return netns.ErrAddressNotOurs
	case *tcpip.ErrAddressFamilyNotSupported:
		return netns.ErrAddressFamily
	case *tcpip.ErrMessageTooLong:
		return netns.ErrMessageTooLong
	case *tcpip.ErrNoBufferSpace:
		return netns.ErrNoBuffer
	case *tcpip.ErrUnknownProtocolOption:
		return netns.ErrNoProtocolOption
	case *tcpip.ErrNotSupported, *tcpip.ErrQueueSizeNotSupported:
		return netns.ErrUnsupported
	case *tcpip.ErrInvalidEndpointState, *tcpip.ErrAlreadyBound, *tcpip.ErrInvalidOptionValue, *tcpip.ErrInvalidPortRange,
		*tcpip.ErrUnknownProtocol, *tcpip.ErrMalformedHeader, *tcpip.ErrMulticastInputCannotBeOutput, *tcpip.ErrMissingRequiredFields:
		return netns.ErrInvalid
	case *tcpip.ErrBadAddress, *tcpip.ErrBadBuffer, *tcpip.ErrBroadcastDisabled, *tcpip.ErrDestinationRequired, *tcpip.ErrDuplicateNICID,
		*tcpip.ErrInvalidNICID, *tcpip.ErrNoSuchFile, *tcpip.ErrNotPermitted, *tcpip.ErrUnknownDevice, *tcpip.ErrUnknownNICID,
		*tcpip.ErrEndpointBusy, *tcpip.ErrClosedForReceive:
		// These never come from a TCP socket; ErrClosedForReceive does, but it is the end of data and no error.
		return netns.ErrOther
	}
	return netns.ErrOther
}

// asError is errno as an error: nil for no error.
func asError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return errno(err)
}
