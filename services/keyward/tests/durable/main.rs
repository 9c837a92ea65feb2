//! What lasts, on PostgreSQL and on the embedded store: moving from one to the other, kills, and disks that are full.

mod disk;
mod postgres;
mod served;
