"""A plain PyTorch residual network, written as most people write it, to be compared with.

Layer by layer it is ours: where torchvision's and timm's ResNet-50 stride in the 3x3 convolution, for 6 % more
arithmetic, this one strides in the first 1x1, and the networks for small images pad their shortcuts, as in the paper.
`python -m benchmarks.pytorch_resnet` counts both.
"""

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


class Padding(nn.Module):
    """The shortcut without weights: every other pixel, and zeros for the channels that are new."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.channels))


class Block(nn.Module):
    """Two or three convolutions beside a shortcut."""

    def __init__(self, inputs: int, channels: int, stride: int, bottleneck: bool, projecting: bool) -> None:
        super().__init__()
        outputs = channels * 4 if bottleneck else channels
        sizes = [(inputs, channels, 1, stride), (channels, channels, 3, 1), (channels, outputs, 1, 1)]
        basic = [(inputs, channels, 3, stride), (channels, channels, 3, 1)]
        self.layers = nn.ModuleList(convolution(*each) for each in (sizes if bottleneck else basic))
        if stride == 1 and inputs == outputs:
            self.shortcut: nn.Module = nn.Identity()
        elif projecting:
            self.shortcut = convolution(inputs, outputs, 1, stride)
        else:
            self.shortcut = Padding(outputs - inputs, stride)

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
                layers.append(Block(channels, width, 2 if group and not number else 1, bottleneck, projecting=large))
                channels = width * (4 if bottleneck else 1)
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def multiply_adds(network: nn.Module, side: int) -> int:
    """Those of its convolutions and its head for one image."""
    counted = []

    def count(layer: nn.Module, _: object, outputs: Tensor) -> None:
        counted.append(layer.weight[0].numel() * outputs.numel())

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 3, side, side))
    return sum(counted)


def main() -> None:
    """Print what each takes, beside ours.

    Raises:
        SystemExit: One takes more or less arithmetic than ours.
    """
    import resnet

    for name, (*_, large) in NETWORKS.items():
        side = 224 if large else 32
        found, ours = multiply_adds(ResNet(name, 10), side), resnet.describe(name, side, 10).multiply_adds
        print(f"{name}, {side} x {side}: {found:,} multiply-adds, ours {ours:,}", flush=True)
        if found != ours:
            raise SystemExit("they are not the same network")


if __name__ == "__main__":
    main()
