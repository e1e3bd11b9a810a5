//! S3 by its clients: what goes in comes out, whoever puts it there, whatever happens meanwhile.

mod backup;
mod by_hand;
mod cases;
mod command_line;
mod concurrent;
mod crash;
mod full_disk;
mod http2;
mod javascript;
mod scale;
mod transfers;
mod writer;
