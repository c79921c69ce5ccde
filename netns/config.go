package netns

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connectlab/trace"
)

// Defaults of a Config.
const (
	DefaultDelay = 10 * time.Millisecond
	DefaultMTU   = 1500
	// NoLinkDelay is the Config.Delay of a link that takes no time at all.
	NoLinkDelay = time.Duration(-1)
	// IPLink is the Config.Link that is trace.LinkIP also where a story says otherwise.
	IPLink = trace.LinkType(255)
	// OnlyIPv4 is the Config.Family that is IPv4 also where a story says otherwise.
	OnlyIPv4 = Family(255)
	// DefaultRest is how long a run goes on after the last program line, if Config.Until is zero.
	DefaultRest = time.Hour
	// MaxTime is the longest time that a run takes, and that anything in it is given: 100 years. A run that has not
	// ended by then is cut off.
	MaxTime = 100 * 365 * 24 * time.Hour
	// MaxStepsPerInstant is how many steps may happen at one instant before the run is given up.
	MaxStepsPerInstant = 100_000
	// MaxPacketsPerStep and MaxOctetsPerStep are how many packets, and octets in them, a stack may send in one step before the run is
	// given up.
	MaxPacketsPerStep = 100_000
	MaxOctetsPerStep  = 128 << 20
)

// Names of the hosts.
const (
	Client = "client"
	Server = "server"
)

// Start is the date at virtual time 0. It is fixed: a run does not depend on the day on which it is made.
var Start = time.Date(2022, time.July, 31, 0, 0, 0, 0, time.UTC)

// Config shapes a run. It goes into the trace's header, from which the run can be repeated: see ConfigOf. But for Client and Server
// its zero value works.
type Config struct {
	// Client and Server make the stacks of the two hosts.
	Client, Server Factory
	// Seed is where everything random comes from: initial sequence numbers, ports, the percent of a Fault.
	Seed uint64
	// Link says with which header packets begin. Zero: trace.LinkIP, or what a story says; IPLink: trace.LinkIP. On trace.LinkEthernet stacks find each other's MAC with ARP
	// or neighbor discovery; the hosts' MACs are 00:00:5e:00:53:01 and 00:00:5e:00:53:02, from the range for documentation
	// (RFC 9542).
	Link trace.LinkType
	// Family is that of the hosts' addresses: 192.0.2.1 and 192.0.2.2 (RFC 5737), or 2001:db8::1 and 2001:db8::2 (RFC 3849).
	// Zero: IPv4, or what a story says; OnlyIPv4: IPv4.
	Family Family
	// Needs are what only some stacks can do and the run asks of both: see Needed. With "client " or "server " before it, as in
	// "server SYN cookies", it is asked of that host's stack alone. What Link and Family need is among them without being named.
	Needs []string
	// Delay is what the link takes, one way, up to MaxTime. Zero: DefaultDelay; NoLinkDelay: no time, which is 0 in the
	// header.
	Delay time.Duration
	// MTU of the link in octets, an Ethernet header not counted. Zero: DefaultMTU. At least 576 (RFC 791: what each host must
	// take), and 1280 in IPv6 (RFC 8200, Section 5).
	MTU int
	// Faults are the link's rules, asked in this order; the first that does not let a packet pass decides.
	Faults []Fault
	// Until is the virtual time at which the run is cut off, up to MaxTime. Zero: DefaultRest after the last program line.
	Until time.Duration
	// Story is the text that the programs come from, for the header.
	Story trace.Story
	// Record is how much is recorded.
	Record RecordLevel
	// OmitData leaves octets of data out of the record; headers are always kept.
	OmitData bool
	// Writer, if not nil, takes the record as it happens (see trace.NewWriter), and Run returns no trace.
	Writer io.Writer
	// Progress, if not nil, is called now and then with the virtual time and the number of steps done.
	Progress func(now time.Duration, steps int)
	// Wall, if not nil, is a clock on the wall. It shows in no record of virtual time: goroutines of Host.Go are watched by
	// it (see Host).
	Wall *Wall
	// RealTime paces the run by Wall, which it needs: nothing happens before its time has come there. The record of a run
	// of programs is the same as in virtual time, but that its header says so.
	RealTime bool
}

// RecordLevel is how much of a run is recorded.
type RecordLevel uint8

// How much can be recorded.
const (
	// RecordAll: packets, calls, states, control information.
	RecordAll RecordLevel = iota
	// RecordNoControl: all but control information.
	RecordNoControl
	// RecordNothing: no recorder at all.
	RecordNothing
)

// MinMTU is the smallest MTU of a link: what each IPv4 host must be able to take (RFC 791, Section 3.2).
const MinMTU = 576

// MinMTU6 is the smallest MTU of a link that carries IPv6 (RFC 8200, Section 5).
const MinMTU6 = 1280

// MaxMTU is the largest: the length field of IP has 16 bits.
const MaxMTU = 65535

func (c *Config) normalize() error {
	if c.Link == IPLink {
		c.Link = trace.LinkIP
	}
	if c.Family == OnlyIPv4 {
		c.Family = IPv4
	}
	least := MinMTU
	if c.Family == IPv6 {
		least = MinMTU6
	}
	switch {
	case c.Client == nil || c.Server == nil:
		return &OpError{Op: "configure", Err: fmt.Errorf("client and server need a stack each: set Config.Client and Config.Server")}
	case c.Link > trace.LinkEthernet:
		return &OpError{Op: "configure", Err: fmt.Errorf("a link %d, which there is not", c.Link)}
	case c.Family > IPv6:
		return &OpError{Op: "configure", Err: fmt.Errorf("an address family %d, which there is not", c.Family)}
	case c.MTU == 0:
		c.MTU = DefaultMTU
	case c.MTU < least || c.MTU > MaxMTU:
		return &OpError{Op: "configure", Err: fmt.Errorf("an MTU of %d: it must be between %d and %d octets", c.MTU, least, MaxMTU)}
	}
	if err := c.Capable(); err != nil {
		return err
	}
	switch {
	case c.Delay == 0:
		c.Delay = DefaultDelay
	case c.Delay == NoLinkDelay:
		c.Delay = 0
	case c.Delay < 0:
		return &OpError{Op: "configure", Err: fmt.Errorf("a delay of %v: it cannot be negative", c.Delay)}
	case c.Delay > MaxTime:
		return &OpError{Op: "configure", Err: fmt.Errorf("a delay of %v: it cannot be longer than 100 years", c.Delay)}
	}
	switch {
	case c.Wall == nil && c.RealTime:
		return &OpError{Op: "configure", Err: errors.New("real time needs a clock: set Config.Wall")}
	case c.Wall != nil && (c.Wall.Now == nil || c.Wall.After == nil):
		return &OpError{Op: "configure", Err: errors.New("the clock on the wall needs both its functions: set Wall.Now and Wall.After")}
	}
	for i := range c.Faults {
		if err := c.Faults[i].check(); err != nil {
			return &OpError{Op: "configure", Err: fmt.Errorf("fault %d: %w", i+1, err)}
		}
	}
	switch {
	case c.Until < 0:
		return &OpError{Op: "configure", Err: fmt.Errorf("until %v: it cannot be negative", c.Until)}
	case c.Until > MaxTime:
		return &OpError{Op: "configure", Err: fmt.Errorf("until %v: it cannot be later than 100 years", c.Until)}
	}
	return nil
}

// Needed are the capabilities that a run can need, in the order in which they are listed. The slice is the caller's.
func Needed() []string {
	return []string{trace.CapabilityEthernet, trace.CapabilityIPv6, trace.CapabilityECN, trace.CapabilityUrgent, trace.CapabilitySYNCookies}
}

// ParseNeed reads one of Config.Needs: the host of which it is asked, empty for both, and what its stack has to be able to do. ok
// is false where text asks for nothing that there is.
func ParseNeed(text string) (host, capability string, ok bool) {
	capability = text
	for _, h := range []string{Client, Server} {
		if rest, found := strings.CutPrefix(text, h+" "); found {
			host, capability = h, rest
		}
	}
	return host, capability, slices.Contains(Needed(), capability)
}

// A LackError is a stack that cannot do what a run needs.
type LackError struct {
	Stack string
	Lacks []string // of Needed
}

// Error names the stack and what it lacks.
func (e *LackError) Error() string {
	return fmt.Sprintf("the stack %s cannot do what this run needs: %s", e.Stack, strings.Join(e.Lacks, ", "))
}

// needs are all capabilities that the run needs of a host's stack, each once.
func (c *Config) needs(host string) []string {
	var needs []string
	for _, text := range c.Needs {
		if of, need, _ := ParseNeed(text); of == "" || of == host {
			needs = append(needs, need)
		}
	}
	if c.Family == IPv6 {
		needs = append(needs, trace.CapabilityIPv6)
	}
	if c.Link == trace.LinkEthernet {
		needs = append(needs, trace.CapabilityEthernet)
	}
	for i := len(needs) - 1; i > 0; i-- {
		if slices.Contains(needs[:i], needs[i]) {
			needs = slices.Delete(needs, i, i+1)
		}
	}
	return needs
}

// Check returns nil if New would take c, else the *OpError that it would give: all but that a stack cannot be started.
func (c Config) Check() error { return c.normalize() }

// Capable returns nil if both stacks can do what the run needs, else an *OpError around a *LackError. New asks it.
func (c *Config) Capable() error {
	for _, need := range c.Needs {
		if _, _, ok := ParseNeed(need); !ok {
			return &OpError{Op: "configure", Err: fmt.Errorf("unknown need %q: the needs are %s", need, strings.Join(Needed(), ", "))}
		}
	}
	for i, factory := range []Factory{c.Client, c.Server} {
		host := []string{Client, Server}[i]
		if lacks := c.Lacks(host, factory); lacks != nil {
			return &OpError{Op: "configure", Host: host, Err: &LackError{Stack: factory.Info().Name, Lacks: lacks}}
		}
	}
	return nil
}

// Lacks is what a stack cannot do, and the run needs of the stack of a host; nil: nothing.
func (c *Config) Lacks(host string, stack Factory) []string {
	var lacks []string
	for _, need := range c.needs(host) {
		if !slices.Contains(stack.Info().Capabilities, need) {
			lacks = append(lacks, need)
		}
	}
	return lacks
}

// addresses are the hosts' by Family.
var addresses = [...][2]netip.Prefix{
	IPv4: {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")},
	IPv6: {netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("2001:db8::2/64")},
}

// Nobody is an address of the link's network that no host has.
func Nobody(f Family) netip.Addr { return nobody[f] }

var nobody = [...]netip.Addr{IPv4: netip.MustParseAddr("192.0.2.9"), IPv6: netip.MustParseAddr("2001:db8::9")}

// macs are the hosts' by LinkType.
var macs = [...][2]trace.MAC{
	trace.LinkIP:       {},
	trace.LinkEthernet: {{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01}, {0x00, 0x00, 0x5e, 0x00, 0x53, 0x02}},
}

func (c *Config) header(hosts [2]*host) trace.Header {
	h := trace.Header{
		Story: c.Story, Seed: c.Seed, Link: c.Link, Delay: c.Delay, MTU: c.MTU, Needs: c.Needs, Until: c.Until, Start: Start,
		Data: !c.OmitData, Control: c.Record == RecordAll, RealTime: c.RealTime,
	}
	for _, f := range c.Faults {
		h.Faults = append(h.Faults, f.String())
	}
	for _, host := range hosts {
		info := host.factory.Info()
		hi := trace.HostInfo{
			Name: host.name, Address: host.addr.String(), MAC: host.mac, Stack: info.Name, Version: info.Version,
			Settings: info.Settings, Capabilities: slices.Clone(info.Capabilities), Unsupported: info.Unsupported,
		}
		if host.inspector != nil {
			hi.Capabilities = append(hi.Capabilities, trace.CapabilityControl)
		}
		h.Hosts = append(h.Hosts, hi)
	}
	return h
}

// ConfigOf is the Config of the run that a header is of, apart from its stacks and its pace: Client and Server are nil, and it is in virtual time. The error is
// that of a fault that cannot be read.
func ConfigOf(h *trace.Header) (Config, error) {
	c := Config{
		Story: h.Story, Seed: h.Seed, Link: h.Link, Delay: h.Delay, MTU: h.MTU, Needs: h.Needs, Until: h.Until,
		OmitData: !h.Data, Record: RecordNoControl,
	}
	if h.Delay == 0 {
		c.Delay = NoLinkDelay
	}
	if h.Control {
		c.Record = RecordAll
	}
	if len(h.Hosts) > 0 {
		if address, err := netip.ParsePrefix(h.Hosts[0].Address); err == nil && address.Addr().Is6() {
			c.Family = IPv6
		}
	}
	for _, text := range h.Faults {
		f, err := ParseFault(text)
		if err != nil {
			return Config{}, err
		}
		c.Faults = append(c.Faults, f)
	}
	return c, nil
}

// stackSeed is the seed of one stack: another for each host and for each life of it.
func stackSeed(seed uint64, host string, generation int) [32]byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], seed)
	binary.BigEndian.PutUint64(b[8:], uint64(generation))
	return sha256.Sum256(append(b[:], host...))
}
