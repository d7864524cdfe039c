"""Looking at runs from outside: samples, taps, and a socket for other processes of the user."""
