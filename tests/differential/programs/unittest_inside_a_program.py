import unittest, io
from unittest import mock
class T(unittest.TestCase):
    def setUp(self): self.x = 1
    def test_ok(self): self.assertEqual(self.x, 1); self.assertRaises(ValueError, int, "x"); self.assertIn(1, [1])
    def test_bad(self): self.assertEqual([1], [2])
    @unittest.skip("later")
    def test_skipped(self): pass
    def test_sub(self):
        for i in range(2):
            with self.subTest(i=i): self.assertLess(i, 5)
r = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(T)); print(r.testsRun >= 3, len(r.failures), len(r.skipped), r.wasSuccessful())
m = mock.Mock(return_value=5); print(m(1, k=2), m.call_args == mock.call(1, k=2)); m.assert_called_once()
with mock.patch("json.dumps", return_value="patched"): import json; print(json.dumps(1))
print(json.dumps(1), mock.MagicMock().__len__())
