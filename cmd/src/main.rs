#![allow(dead_code)]
mod os_disk;
fn main() {}
