//! That a 200 comes after the sync, as the kernel saw it.
