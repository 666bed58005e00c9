"""The modelling language: a kernel function written in Python becomes a program."""
