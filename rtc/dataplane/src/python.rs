//! The only file of the crate that knows Python.
use pyo3::pymodule;

#[pymodule]
mod _dataplane {}
