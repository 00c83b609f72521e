import abc
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
    @property
    @abc.abstractmethod
    def name(self): ...
class Sq(Shape):
    name = "sq"
    def area(self): return 4
print(Sq().area(), Shape.__abstractmethods__ == {"area", "name"}, issubclass(Sq, Shape))
try:
    Shape()
except TypeError as e:
    print("abstract" in str(e))
@Shape.register
class Other: pass
print(isinstance(Other(), Shape))
class Hook(abc.ABC):
    @classmethod
    def __subclasshook__(cls, c): return hasattr(c, "quack")
class D:
    def quack(self): pass
print(issubclass(D, Hook), issubclass(int, Hook))
