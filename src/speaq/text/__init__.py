"""Reading text: data files, encodings, and counting words in Chinese and English."""
