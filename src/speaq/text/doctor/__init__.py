"""What is wrong with data files, in which row; cleaning, thinning out and dividing them."""
