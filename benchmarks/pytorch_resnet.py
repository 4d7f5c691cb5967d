"""A plain PyTorch residual network, written as most people write it, to be compared with."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Blocks and channels of each group, whether blocks are bottlenecks, and whether images are large.
NETWORKS = {
    "resnet20": ((3, 3, 3), (16, 32, 64), False, False),
    "resnet56": ((9, 9, 9), (16, 32, 64), False, False),
    "resnet110": ((18, 18, 18), (16, 32, 64), False, False),
    "resnet18": ((2, 2, 2, 2), (64, 128, 256, 512), False, True),
    "resnet50": ((3, 4, 6, 3), (64, 128, 256, 512), True, True),
}


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution and its normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Block(nn.Module):
    """Two or three convolutions beside a shortcut."""

    def __init__(self, inputs: int, channels: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = channels * 4 if bottleneck else channels
        sizes = [(inputs, channels, 1, 1), (channels, channels, 3, stride), (channels, outputs, 1, 1)]
        basic = [(inputs, channels, 3, stride), (channels, channels, 3, 1)]
        self.layers = nn.ModuleList(convolution(*each) for each in (sizes if bottleneck else basic))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = x
        for layer in self.layers[:-1]:
            residual = functional.relu(layer(residual))
        return functional.relu(self.layers[-1](residual) + self.shortcut(x))


class ResNet(nn.Module):
    """The whole network; it takes scaled images and gives logits."""

    def __init__(self, name: str, classes: int) -> None:
        super().__init__()
        repeats, widths, bottleneck, large = NETWORKS[name]
        channels = widths[0]
        stem = convolution(3, channels, 7 if large else 3, 2 if large else 1)
        layers: list[nn.Module] = [stem, nn.ReLU(), *([nn.MaxPool2d(3, 2, 1)] if large else [])]
        for group, (count, width) in enumerate(zip(repeats, widths, strict=True)):
            for number in range(count):
                layers.append(Block(channels, width, 2 if group and not number else 1, bottleneck))
                channels = width * (4 if bottleneck else 1)
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


if __name__ == "__main__":
    for name in NETWORKS:
        count = sum(parameter.numel() for parameter in ResNet(name, 10).parameters())
        print(name, f"{count:,} parameters, torch {torch.__version__}")
