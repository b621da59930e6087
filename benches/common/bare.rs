//! Sockets that are only written to: what telling so many costs at the least.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Instant,
};

/// What the writer is told, by one letter each.
pub(crate) const FRAME: u8 = b'f';
pub(crate) const ACCEPT: u8 = b'a';
pub(crate) const WRITE: u8 = b'w';
pub(crate) const CLOSE: u8 = b'c';

/// A thread that writes one frame to many sockets, one after the other: where it listens, and where it is told to.
pub(crate) fn start() -> (SocketAddr, SocketAddr) {
    let (readers, orders) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = (readers.local_addr().unwrap(), orders.local_addr().unwrap());
    thread::spawn(move || obey(&readers, orders.accept().unwrap().0));
    addresses
}

fn obey(readers: &TcpListener, mut orders: TcpStream) {
    let (mut frame, mut sockets) = (Vec::new(), Vec::new());
    loop {
        match letter(&mut orders) {
            Some(FRAME) => {
                frame = vec![0; number(&mut orders)];
                orders.read_exact(&mut frame).unwrap();
            }
            Some(ACCEPT) => {
                let (socket, _) = readers.accept().unwrap();
                socket.set_nodelay(true).unwrap();
                sockets.push(socket);
            }
            Some(WRITE) => {
                let begun = Instant::now();
                for socket in &mut sockets {
                    socket.write_all(&frame).unwrap();
                }
                let took = u64::try_from(begun.elapsed().as_nanos()).unwrap();
                orders.write_all(&took.to_be_bytes()).unwrap();
            }
            Some(CLOSE) => sockets.clear(),
            _ => return,
        }
        orders.write_all(b".").unwrap();
    }
}

fn letter(orders: &mut TcpStream) -> Option<u8> {
    let mut letter = [0];
    orders.read_exact(&mut letter).ok().map(|()| letter[0])
}

fn number(orders: &mut TcpStream) -> usize {
    let mut number = [0; 8];
    orders.read_exact(&mut number).unwrap();
    usize::try_from(u64::from_be_bytes(number)).unwrap()
}
