using System.Buffers;
using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Aries;

/// <summary>An open safetensors file: its header is checked, its tensors are read when asked for, a megabyte at a time.</summary>
/// <threadsafety>Reads may run concurrently.</threadsafety>
internal sealed class SafetensorsFile : IDisposable
{
    private const int ChunkBytes = 1 << 20;

    private readonly SafeFileHandle _handle;
    private readonly long _dataStart;

    private SafetensorsFile(string path, SafeFileHandle handle, SafetensorsHeader header, long dataStart)
    {
        (Path, _handle, Header, _dataStart) = (path, handle, header, dataStart);
    }

    public string Path { get; }

    public SafetensorsHeader Header { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="ModelFormatException">There is no such file, or it breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelFormatException(path, "there is no such file.", "Check the path, or download the weights.");
        }

        SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            (SafetensorsHeader header, long dataStart) = ReadHeader(handle, path);
            return new SafetensorsFile(path, handle, header, dataStart);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor of F32, F16, BF16 or F64 as float32.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="destination">Receives the values. Length: the tensor's number of elements.</param>
    /// <exception cref="ModelFormatException">There is no such tensor, it holds no floats, or the file was cut after it was opened.</exception>
    public void ReadSingles(string name, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, Entry(name).ElementCount, nameof(destination));
        ReadSingles(name, 0, destination);
    }

    /// <summary>Reads a part of a tensor of F32, F16, BF16 or F64 as float32.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="start">The first element.</param>
    /// <param name="destination">Receives the values from there on.</param>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has not so many elements.</exception>
    /// <exception cref="ModelFormatException">There is no such tensor, it holds no floats, or the file was cut after it was opened.</exception>
    public void ReadSingles(string name, long start, Span<float> destination)
    {
        SafetensorsEntry entry = Entry(name);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, entry.ElementCount - destination.Length);
        if (entry.Type == SafetensorsType.Float32 && BitConverter.IsLittleEndian)
        {
            ReadBytes(entry, start * sizeof(float), MemoryMarshal.AsBytes(destination));
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            int size = ElementBytes(entry);
            int chunk = ChunkBytes / size;
            for (int done = 0; done < destination.Length; done += chunk)
            {
                int count = Math.Min(chunk, destination.Length - done);
                Span<byte> bytes = buffer.AsSpan(0, count * size);
                ReadBytes(entry, (start + done) * size, bytes);
                Convert(bytes, entry.Type, destination.Slice(done, count));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a tensor of F64 as it is.</summary>
    /// <exception cref="ModelFormatException">There is no such tensor, or it is not F64.</exception>
    public double[] ReadDoubles(string name)
    {
        SafetensorsEntry entry = Entry(name);
        if (entry.Type != SafetensorsType.Float64)
        {
            throw new ModelFormatException(Path, $"the tensor '{name}' is {entry.TypeName}, not F64.", "Read it as float32.");
        }

        byte[] bytes = new byte[entry.ByteLength];
        ReadBytes(entry, 0, bytes);
        double[] values = new double[bytes.Length / sizeof(double)];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = BinaryPrimitives.ReadDoubleLittleEndian(bytes.AsSpan(index * sizeof(double)));
        }

        return values;
    }

    /// <summary>Reads bytes of a tensor as the file stores them.</summary>
    public void ReadBytes(SafetensorsEntry entry, long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int read = RandomAccess.Read(_handle, destination, _dataStart + entry.Start + offset);
            if (read == 0)
            {
                throw new ModelFormatException(
                    Path, $"the file ends inside the tensor '{entry.Name}'.", "The file was changed while it was read: try again when nothing writes to it.");
            }

            destination = destination[read..];
            offset += read;
        }
    }

    public void Dispose() => _handle.Dispose();

    private static (SafetensorsHeader Header, long DataStart) ReadHeader(SafeFileHandle handle, string path)
    {
        long fileLength = RandomAccess.GetLength(handle);
        Span<byte> lengthBytes = stackalloc byte[sizeof(ulong)];
        if (fileLength < sizeof(ulong) || RandomAccess.Read(handle, lengthBytes, 0) != sizeof(ulong))
        {
            throw new ModelFormatException(
                path, $"the file has {fileLength} bytes, too few for a header.", "The file is damaged or not a safetensors file: download it again.");
        }

        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(lengthBytes);
        if (headerLength > (ulong)(fileLength - sizeof(ulong)) || headerLength > SafetensorsHeader.MaximumLength)
        {
            throw new ModelFormatException(
                path,
                $"the header claims {headerLength} bytes, but the file has {fileLength}, and {SafetensorsHeader.MaximumLength} is the format's limit.",
                "The download is incomplete, or this is not a safetensors file: download it again.");
        }

        byte[] json = new byte[(int)headerLength];
        for (int done = 0; done < json.Length;)
        {
            int read = RandomAccess.Read(handle, json.AsSpan(done), sizeof(ulong) + done);
            done += read > 0 ? read : throw new ModelFormatException(path, "the file ends inside its header.", "Download it again.");
        }

        long dataStart = sizeof(ulong) + json.Length;
        return (SafetensorsHeader.Parse(json, fileLength - dataStart, path), dataStart);
    }

    private SafetensorsEntry Entry(string name) =>
        Header.Entries.GetValueOrDefault(name)
        ?? throw new ModelFormatException(Path, $"there is no tensor '{name}'.", "Check that the file belongs to this model.");

    private int ElementBytes(SafetensorsEntry entry) => entry.Type switch
    {
        SafetensorsType.Float32 => sizeof(float),
        SafetensorsType.Float16 or SafetensorsType.BFloat16 => sizeof(ushort),
        SafetensorsType.Float64 => sizeof(double),
        _ => throw new ModelFormatException(
            Path, $"the tensor '{entry.Name}' has the dtype {entry.TypeName}, which holds no plain floats.", "Convert the weights to F32, F16 or BF16; quantised weights cannot be read."),
    };

    private static void Convert(ReadOnlySpan<byte> bytes, SafetensorsType type, Span<float> destination)
    {
        switch (type)
        {
            case SafetensorsType.Float16 when BitConverter.IsLittleEndian:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), destination);
                break;
            case SafetensorsType.Float16:
                for (int index = 0; index < destination.Length; index++)
                {
                    destination[index] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(index * 2)..]);
                }

                break;
            case SafetensorsType.BFloat16:
                for (int index = 0; index < destination.Length; index++)
                {
                    destination[index] = BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bytes[(index * 2)..]) << 16);
                }

                break;
            case SafetensorsType.Float32:
                for (int index = 0; index < destination.Length; index++)
                {
                    destination[index] = BinaryPrimitives.ReadSingleLittleEndian(bytes[(index * 4)..]);
                }

                break;
            default:
                for (int index = 0; index < destination.Length; index++)
                {
                    destination[index] = (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes[(index * 8)..]);
                }

                break;
        }
    }
}
