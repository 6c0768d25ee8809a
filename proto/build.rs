//! Compiles the `.proto` files without an installed protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/atoll/peer/v1/peer.proto"];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".atoll.peer.v1.FetchChunk")
        .bytes(".atoll.peer.v1.LoanChunk")
        .compile_fds(descriptors)?;
    Ok(())
}
