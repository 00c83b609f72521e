import colorsys
for rgb in ((1, 0, 0), (0.2, 0.4, 0.6), (0.5, 0.5, 0.5)):
    print([round(x, 6) for x in colorsys.rgb_to_hsv(*rgb)], [round(x, 6) for x in colorsys.rgb_to_hls(*rgb)], [round(x, 6) for x in colorsys.rgb_to_yiq(*rgb)], [round(x, 6) for x in colorsys.hsv_to_rgb(*colorsys.rgb_to_hsv(*rgb))])
