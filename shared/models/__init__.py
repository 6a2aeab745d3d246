"""Functions of parameters: networks in torch, and convolutions and recurrent cells by hand in NumPy. No losses here.

Nothing is handed out: what needs torch is imported by the name of its module.

May import: chance.
"""
