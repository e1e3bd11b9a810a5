//! Tests with real containers.

fn main() {
    if sandbox::launcher::is_requested() {
        sandbox::launcher::main()
    }
}
