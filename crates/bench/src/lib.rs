//! What a call costs, measured against what it must cost whatever we write.
