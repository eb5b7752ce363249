//! Values, packets and wire formats of AnyEvent::MP nodes: bytes in, bytes out, no I/O.
