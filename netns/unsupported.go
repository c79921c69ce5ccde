package netns

import "net/netip"

// Unsupported is a Socket none of whose calls is supported. A stack's socket embeds it and writes the calls that it
// can do; Info.Unsupported names the others.
type Unsupported struct{}

var _ Socket = Unsupported{}

func (Unsupported) Bind(netip.AddrPort) error    { return ErrUnsupported }
func (Unsupported) Listen(int) error             { return ErrUnsupported }
func (Unsupported) Accept() (Socket, error)      { return nil, ErrUnsupported }
func (Unsupported) Connect(netip.AddrPort) error { return ErrUnsupported }
func (Unsupported) Send([]byte) (int, error)     { return 0, ErrUnsupported }
func (Unsupported) Receive([]byte) (int, error)  { return 0, ErrUnsupported }
func (Unsupported) Shutdown(How) error           { return ErrUnsupported }
func (Unsupported) Close() error                 { return ErrUnsupported }
func (Unsupported) Abort() error                 { return ErrUnsupported }
func (Unsupported) PendingError() error          { return ErrUnsupported }
func (Unsupported) Option(Option) (int, error)   { return 0, ErrUnsupported }
func (Unsupported) SetOption(Option, int) error  { return ErrUnsupported }
func (Unsupported) LocalAddr() netip.AddrPort    { return netip.AddrPort{} }
func (Unsupported) RemoteAddr() netip.AddrPort   { return netip.AddrPort{} }
