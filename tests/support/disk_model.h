// A disk that forgets: replays what the file layer did and tells what may be left after a power loss. Names
// and bytes count as safe only once their directory or file was synced; deletion is assumed to reach the disk
// at once.
#pragma once
#include <cassert>
#include <map>
#include <memory>
#include <string>

#include "engine/base/file.h"

namespace eb {

class DiskModel {
 public:
  enum class Loss { nothing, bytes, names_and_bytes };

  explicit DiskModel(const std::filesystem::path& root) : root_path_(root) { load(*root_, root); }

  void apply(const engine::FileOperation& o) {
    using K = engine::FileOperation::Kind;
    switch (o.kind) {
      case K::create:
        return create(o.path);
      case K::write:
        find(o.path)->bytes.append(o.bytes);
        return;
      case K::truncate:
        find(o.path)->bytes.resize(static_cast<size_t>(o.size));
        return;
      case K::sync:
        find(o.path)->safe_bytes = find(o.path)->bytes;
        return;
      case K::sync_directory:
        find(o.path)->safe_names = find(o.path)->names;
        return;
      case K::make_directory:
        entry(o.path) = std::make_shared<Node>(Node{true});
        return;
      case K::rename:
        move(o.path, o.to);
        return;
      case K::exchange:
        std::swap(entry(o.path), entry(o.to));
        return;
      case K::remove:
        remove(o.path);
        return;
    }
  }

  // Makes `target`, which must not exist, what could be found after the power came back.
  void write_to(const std::filesystem::path& target, Loss loss) const { store(*root_, target, loss); }

 private:
  struct Node {
    bool directory = false;
    std::map<std::string, std::shared_ptr<Node>> names, safe_names;
    std::string bytes, safe_bytes;
  };
  using NodePointer = std::shared_ptr<Node>;

  static void load(Node& node, const std::filesystem::path& path) {
    for (const auto& e : std::filesystem::directory_iterator(path)) {
      auto child = std::make_shared<Node>(Node{e.is_directory()});
      if (child->directory)
        load(*child, e.path());
      else
        child->bytes = child->safe_bytes = engine::read_file(e.path());
      node.names[e.path().filename()] = child;
    }
    node.safe_names = node.names;
  }

  NodePointer find(const std::filesystem::path& path) const {
    NodePointer node = root_;
    for (const auto& part : path.lexically_relative(root_path_))
      if (part != ".") node = node->names.at(part);
    return node;
  }
  NodePointer& entry(const std::filesystem::path& path) {
    return find(path.parent_path())->names[path.filename()];
  }

  void create(const std::filesystem::path& path) {  // or opened anew and cut
    NodePointer& node = entry(path);
    if (!node) node = std::make_shared<Node>();
    node->bytes.clear();
  }
  void move(const std::filesystem::path& from, const std::filesystem::path& to) {
    entry(to) = entry(from);
    find(from.parent_path())->names.erase(from.filename());
  }
  void remove(const std::filesystem::path& path) {
    auto& names = find(path.parent_path())->names;
    const auto found = names.find(path.filename());
    if (found == names.end()) return;
    found->second->safe_names.clear();
    found->second->safe_bytes.clear();
    names.erase(found);
  }

  static void store(const Node& node, const std::filesystem::path& path, Loss loss) {
    if (!node.directory)
      return engine::write_file_synced(path, loss == Loss::nothing ? node.bytes : node.safe_bytes);
    std::filesystem::create_directory(path);
    for (const auto& [name, child] : loss == Loss::names_and_bytes ? node.safe_names : node.names)
      store(*child, path / name, loss);
  }

  std::filesystem::path root_path_;
  NodePointer root_ = std::make_shared<Node>(Node{true});
};

}  // namespace eb
